// The interop test server on connect-node: all three protocols on one port, with HTTP/1.1 or HTTP/2 in plain text, and both over TLS.
import http from 'node:http';
import http2 from 'node:http2';
import { setTimeout as pause } from 'node:timers/promises';
import { Code, ConnectError } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { INITIAL, TRAILING, TestService, certificate, given, payload, secure } from './common.mjs';

const ENCODINGS = ['grpc-encoding', 'connect-content-encoding', 'content-encoding'];
const cached = new Map();

function echo(context) {
  const headers = context.requestHeader;
  if (headers.has(INITIAL)) context.responseHeader.set(INITIAL, headers.get(INITIAL));
  if (headers.has(TRAILING)) context.responseTrailer.set(TRAILING, headers.get(TRAILING));
}

// The library does not say of a message whether it came compressed; the headers say whether it may have been.
function check(request, context) {
  const status = request.responseStatus;
  if (status?.code) throw new ConnectError(status.message, status.code);
  const packed = ENCODINGS.some((name) => (context.requestHeader.get(name) ?? 'identity') !== 'identity');
  if (request.expectCompressed?.value && !packed) {
    throw new ConnectError('the request was expected to be compressed', Code.InvalidArgument);
  }
}

async function* respond(request, context) {
  for (const each of request.responseParameters) {
    if (each.intervalUs) await pause(each.intervalUs / 1000, undefined, { signal: context.signal });
    yield { payload: payload(each.size) };
  }
}

const routes = (router) => router.service(TestService, {
  emptyCall: () => ({}),

  unaryCall(request, context) {
    echo(context);
    check(request, context);
    return { payload: payload(request.responseSize) };
  },

  cacheableUnaryCall(request, context) {
    context.responseHeader.set('cache-control', 'max-age=60, public');
    const key = Buffer.from(request.payload?.body ?? []).toString('hex');
    if (!cached.has(key)) cached.set(key, new TextEncoder().encode(`${process.hrtime.bigint()}`));
    return { payload: { body: cached.get(key) } };
  },

  async* streamingOutputCall(request, context) {
    check(request, context);
    yield* respond(request, context);
  },

  async streamingInputCall(requests, context) {
    let size = 0;
    for await (const request of requests) {
      check(request, context);
      size += request.payload?.body.length ?? 0;
    }
    return { aggregatedPayloadSize: size };
  },

  async* fullDuplexCall(requests, context) {
    echo(context);
    for await (const request of requests) {
      check(request, context);
      yield* respond(request, context);
    }
  },

  async* halfDuplexCall(requests, context) {
    const everything = [];
    for await (const request of requests) everything.push(request);
    for (const request of everything) yield* respond(request, context);
  },
});

const handler = connectNodeAdapter({ routes });
const pair = () => ({ cert: certificate('server1.pem'), key: certificate('server1.key') });
let server;
if (secure) server = http2.createSecureServer({ ...pair(), allowHTTP1: true }, handler);
else if (given.http_version === '2') server = http2.createServer(handler);
else server = http.createServer(handler);
server.listen(Number(given.port), 'localhost', () => console.log(`listening on ${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
