// The gRPC-Web interop cases on the official client, `grpc-web`: --mode is text or binary. It calls XMLHttpRequest, which xhr2 brings to Node.
import { strict as assert } from 'node:assert';
import { createRequire } from 'node:module';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  INITIAL, RESPONSES, SPECIAL, TRAILING, TestService, Unsupported, UnimplementedService, given, payload,
  runCases,
} from './common.mjs';

const require = createRequire(import.meta.url);
globalThis.XMLHttpRequest = require('xhr2');
const web = require('grpc-web');

const text = given.mode !== 'binary';
const client = new web.GrpcWebClientBase({ format: text ? 'text' : 'binary' });
const host = `http://${given.server_host}:${given.server_port}`;

// What generated code has for a method; the client needs no more of a message than that it is an object.
function descriptor(service, name) {
  const method = service.method[name];
  return new web.MethodDescriptor(
    `/${service.typeName}/${method.name}`,
    method.methodKind === 'unary' ? web.MethodType.UNARY : web.MethodType.SERVER_STREAMING,
    Object, Object,
    (request) => toBinary(method.input, request),
    (bytes) => fromBinary(method.output, bytes),
  );
}

// A unary call with all that is known of it.
function unary(name, fields, metadata = {}, service = TestService) {
  const method = descriptor(service, name);
  const request = create(service.method[name].input, fields);
  return new Promise((done) => {
    const found = {};
    const call = client.rpcCall(host + method.getName(), request, metadata, method, (error, response) => {
      Object.assign(found, { error, response });
      setTimeout(() => done(found), 0); // the status is told after the response
    });
    call.on('metadata', (initial) => { found.initial = initial; });
    call.on('status', (status) => { found.status = status; });
  });
}

async function large(fields = {}, metadata = {}) {
  const found = await unary(
    'unaryCall', { responseSize: 314159, payload: payload(271828), ...fields }, metadata);
  assert.ifError(found.error);
  assert.equal(found.response.payload.body.length, 314159);
  return found;
}

function stream(fields) {
  const method = descriptor(TestService, 'streamingOutputCall');
  const request = create(TestService.method.streamingOutputCall.input, fields);
  return new Promise((done, failed) => {
    const sizes = [];
    const call = client.serverStreaming(host + method.getName(), request, {}, method);
    call.on('data', (response) => sizes.push(response.payload.body.length));
    call.on('error', failed);
    call.on('end', () => done(sizes));
  });
}

function ended({ error }, code, details) {
  assert.ok(error, 'the call succeeded');
  assert.equal(error.code, code, error.message);
  if (details !== undefined) assert.equal(error.message, details);
}

await runCases({
  async empty_unary() { assert.ifError((await unary('emptyCall', {})).error); },

  async large_unary() { await large(); },

  async client_compressed_unary() {
    // The client does not compress; so this is the half that is left of the case.
    ended(await unary('unaryCall', { expectCompressed: { value: true } }), 3);
    await large({ expectCompressed: { value: false } });
    throw new Unsupported('the client cannot compress');
  },

  async server_compressed_unary() {
    // The client takes no compression, so the server must not compress what it is asked to.
    await large({ responseCompressed: { value: true } });
    await large({ responseCompressed: { value: false } });
  },

  async server_streaming() {
    const parameters = RESPONSES.map((size, at) => ({ size, intervalUs: at * 10 }));
    assert.deepEqual(await stream({ responseParameters: parameters }), RESPONSES);
  },

  async server_compressed_streaming() {
    const parameters = [[31415, true], [92653, false]].map(
      ([size, value]) => ({ size, compressed: { value } }));
    assert.deepEqual(await stream({ responseParameters: parameters }), [31415, 92653]);
  },

  async custom_metadata() {
    const found = await large({}, { [INITIAL]: 'test_initial_metadata_value', [TRAILING]: 'q6ur' });
    assert.equal(found.initial[INITIAL], 'test_initial_metadata_value');
    assert.equal(found.status.metadata[TRAILING]?.replaceAll('=', ''), 'q6ur');
  },

  async status_code_and_message() {
    const status = { code: 2, message: 'test status message' };
    ended(await unary('unaryCall', { responseStatus: status }), 2, status.message);
  },

  async special_status_message() {
    ended(await unary('unaryCall', { responseStatus: { code: 2, message: SPECIAL } }), 2, SPECIAL);
  },

  async unimplemented_method() { ended(await unary('unimplementedCall', {}), 12); },

  async unimplemented_service() {
    ended(await unary('unimplementedCall', {}, {}, UnimplementedService), 12);
  },
});
