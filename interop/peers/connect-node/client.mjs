// The interop test client on connect-node: --protocol is connect, grpc-web or grpc; --http_version 1.1 or 2; --codec proto or json.
import { strict as assert } from 'node:assert';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import {
  compressionGzip, createConnectTransport, createGrpcTransport, createGrpcWebTransport,
} from '@connectrpc/connect-node';
import {
  INITIAL, REQUESTS, RESPONSES, SPECIAL, TRAILING, TestService, Unsupported, UnimplementedService,
  certificate, given, payload, runCases, secure,
} from './common.mjs';

const makers = {
  connect: createConnectTransport, grpc: createGrpcTransport, 'grpc-web': createGrpcWebTransport,
};

function transport(options = {}) {
  const scheme = secure ? 'https' : 'http';
  return makers[given.protocol]({
    baseUrl: `${scheme}://${given.server_host}:${given.server_port}`,
    httpVersion: given.http_version,
    nodeOptions: secure ? { ca: certificate('ca.pem'), servername: given.server_host_override } : {},
    useBinaryFormat: given.codec !== 'json',
    ...options,
  });
}

// gzip that counts what it unpacks: the only sign of a compressed message that the library shows.
function counting() {
  const counter = { ...compressionGzip, unpacked: 0 };
  counter.decompress = (...words) => {
    counter.unpacked += 1;
    return compressionGzip.decompress(...words);
  };
  return counter;
}

const client = (options) => createClient(TestService, transport(options));
const plain = client();
const compressing = { sendCompression: compressionGzip, compressMinBytes: 0 };
const LARGE = { responseSize: 314159, payload: payload(271828) };
const asked = (size) => ({ responseParameters: [{ size }] });

async function failure(work) {
  try {
    await work;
  } catch (error) {
    return ConnectError.from(error);
  }
  throw new Error('the call succeeded');
}

async function fails(work, code) {
  const error = await failure(work);
  assert.equal(Code[error.code], Code[code], error.message);
  return error;
}

async function sizes(stream) {
  const found = [];
  for await (const response of stream) found.push(response.payload.body.length);
  return found;
}

async function* each(messages) {
  yield* messages;
}

// Responses are asked for one by one, each request after the response to the one before.
function conversation() {
  let wake;
  const queue = [];
  const requests = {
    send(request) { queue.push(request); wake?.(); },
    end() { queue.push(null); wake?.(); },
    async* [Symbol.asyncIterator]() {
      for (;;) {
        while (!queue.length) await new Promise((done) => { wake = done; });
        const next = queue.shift();
        if (next === null) return;
        yield next;
      }
    },
  };
  return requests;
}

async function large(options, request = LARGE) {
  const response = await client(options).unaryCall(request);
  assert.equal(response.payload.body.length, 314159);
}

function fullDuplex() {
  if (given.http_version !== '2') throw new Unsupported('HTTP/1.1 has no full duplex');
}

const echoed = () => {
  const seen = {};
  return {
    options: {
      headers: { [INITIAL]: 'test_initial_metadata_value', [TRAILING]: 'q6ur' },
      onHeader: (headers) => { seen.initial = headers.get(INITIAL); },
      onTrailer: (trailers) => { seen.trailing = trailers.get(TRAILING)?.replaceAll('=', ''); },
    },
    check: () => assert.deepEqual(
      seen, { initial: 'test_initial_metadata_value', trailing: 'q6ur' }),
  };
};

const STATUS = { responseStatus: { code: 2, message: 'test status message' } };

await runCases({
  async empty_unary() { await plain.emptyCall({}); },

  async cacheable_unary() {
    // The Connect protocol's GET, for a method without side effects.
    const cached = given.protocol === 'connect' ? client({ useHttpGet: true }) : plain;
    const request = { payload: { body: new TextEncoder().encode(`${process.hrtime.bigint()}`) } };
    const headers = { 'x-user-ip': '1.2.3.4' };
    const first = await cached.cacheableUnaryCall(request, { headers });
    const second = await cached.cacheableUnaryCall(request, { headers });
    assert.deepEqual(first.payload.body, second.payload.body);
  },

  large_unary: () => large(),

  async client_compressed_unary() {
    const expecting = { ...LARGE, expectCompressed: { value: true } };
    await fails(plain.unaryCall(expecting), Code.InvalidArgument);
    await large(compressing, expecting);
    await large({}, { ...LARGE, expectCompressed: { value: false } });
  },

  async server_compressed_unary() {
    for (const value of [true, false]) {
      const counter = counting();
      await large({ acceptCompression: [counter] }, { ...LARGE, responseCompressed: { value } });
      assert.equal(counter.unpacked, value ? 1 : 0, 'compressed responses');
    }
  },

  async client_streaming() {
    const requests = each(REQUESTS.map((size) => ({ payload: payload(size) })));
    const response = await plain.streamingInputCall(requests);
    assert.equal(response.aggregatedPayloadSize, 74922);
  },

  async client_compressed_streaming() {
    const probe = { payload: payload(27182), expectCompressed: { value: true } };
    await fails(plain.streamingInputCall(each([probe])), Code.InvalidArgument);
    // A message below the least size for compression goes out as it is.
    const stream = client({ ...compressing, compressMinBytes: 1000 });
    const small = { payload: payload(459), expectCompressed: { value: false } };
    const response = await stream.streamingInputCall(each([probe, small]));
    assert.equal(response.aggregatedPayloadSize, 27182 + 459);
  },

  async server_streaming() {
    const request = { responseParameters: RESPONSES.map((size) => ({ size })) };
    assert.deepEqual(await sizes(plain.streamingOutputCall(request)), RESPONSES);
  },

  async server_compressed_streaming() {
    const counter = counting();
    const request = { responseParameters: [
      { size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } },
    ] };
    const stream = client({ acceptCompression: [counter] }).streamingOutputCall(request);
    const flags = [];
    for await (const _ of stream) flags.push(counter.unpacked);
    // The end of a Connect stream is a message, too, and may be compressed.
    assert.deepEqual(flags, [1, 1]);
  },

  async ping_pong() {
    fullDuplex();
    const requests = conversation();
    const responses = plain.fullDuplexCall(requests)[Symbol.asyncIterator]();
    for (const [at, size] of REQUESTS.entries()) {
      requests.send({ ...asked(RESPONSES[at]), payload: payload(size) });
      const { value } = await responses.next();
      assert.equal(value?.payload.body.length, RESPONSES[at]);
    }
    requests.end();
    assert.equal((await responses.next()).done, true);
  },

  async half_duplex() {
    const requests = REQUESTS.map((size, at) => ({ ...asked(RESPONSES[at]), payload: payload(size) }));
    assert.deepEqual(await sizes(plain.halfDuplexCall(each(requests))), RESPONSES);
  },

  async empty_stream() { assert.deepEqual(await sizes(plain.fullDuplexCall(each([]))), []); },

  async custom_metadata() {
    const first = echoed();
    const response = await plain.unaryCall(LARGE, first.options);
    assert.equal(response.payload.body.length, 314159);
    first.check();
    const second = echoed();
    const request = { ...asked(314159), payload: payload(271828) };
    assert.deepEqual(await sizes(plain.fullDuplexCall(each([request]), second.options)), [314159]);
    second.check();
  },

  async status_code_and_message() {
    const unary = await fails(plain.unaryCall(STATUS), Code.Unknown);
    assert.equal(unary.rawMessage, 'test status message');
    const stream = await fails(sizes(plain.fullDuplexCall(each([STATUS]))), Code.Unknown);
    assert.equal(stream.rawMessage, 'test status message');
  },

  async special_status_message() {
    const request = { responseStatus: { code: 2, message: SPECIAL } };
    assert.equal((await fails(plain.unaryCall(request), Code.Unknown)).rawMessage, SPECIAL);
  },

  async unimplemented_method() { await fails(plain.unimplementedCall({}), Code.Unimplemented); },

  async unimplemented_service() {
    const other = createClient(UnimplementedService, transport());
    await fails(other.unimplementedCall({}), Code.Unimplemented);
  },

  async cancel_after_begin() {
    const end = new AbortController();
    const requests = conversation();
    const call = plain.streamingInputCall(requests, { signal: end.signal });
    end.abort();
    await fails(call, Code.Canceled);
    requests.end();
  },

  async cancel_after_first_response() {
    fullDuplex();
    const end = new AbortController();
    const requests = conversation();
    const call = plain.fullDuplexCall(requests, { signal: end.signal });
    const responses = call[Symbol.asyncIterator]();
    requests.send({ ...asked(31415), payload: payload(27182) });
    assert.equal((await responses.next()).value?.payload.body.length, 31415);
    end.abort();
    await fails(responses.next(), Code.Canceled);
    requests.end();
  },

  async timeout_on_sleeping_server() {
    // The server answers after a second; the call may take a hundredth of that.
    const request = { responseParameters: [{ size: 1, intervalUs: 1_000_000 }] };
    await fails(sizes(plain.streamingOutputCall(request, { timeoutMs: 10 })), Code.DeadlineExceeded);
  },
});
