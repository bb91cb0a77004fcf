// The interop test client on grpc-js: one case, exit status 0 if it passed. It takes the official program's flags.
'use strict';

const assert = require('assert').strict;
const { certificate, flags, grpc, package: root, payload } = require('./common.js');

const given = flags();
const status = grpc.status;
const LARGE = { response_size: 314159, payload: payload(271828) };
const REQUESTS = [27182, 8, 1828, 45904];
const RESPONSES = [31415, 9, 2653, 58979];
const ORCA_KEY = 'endpoint-load-metrics-bin';

function connect(service = root.grpc.testing.TestService) {
  const secure = given.use_tls === 'true';
  const credentials = secure
    ? grpc.credentials.createSsl(given.use_test_ca === 'true' ? certificate('ca.pem') : null)
    : grpc.credentials.createInsecure();
  const options = { 'grpc.max_receive_message_length': -1, 'grpc.enable_http_proxy': 0 };
  if (secure && given.server_host_override) {
    options['grpc.ssl_target_name_override'] = given.server_host_override;
    options['grpc.default_authority'] = given.server_host_override;
  }
  return new service(`${given.server_host}:${given.server_port}`, credentials, options);
}

// A unary call with all that is known of it.
function unary(client, method, request, { metadata = new grpc.Metadata(), ...options } = {}) {
  return new Promise((done) => {
    const found = {};
    const call = client[method](request, metadata, options, (error, response) => {
      Object.assign(found, { error, response });
      if (found.status) done(found);
    });
    call.on('metadata', (initial) => { found.initial = initial; });
    call.on('status', (ending) => {
      found.status = ending;
      if ('error' in found) done(found);
    });
  });
}

async function ok(client, method, request, options) {
  const found = await unary(client, method, request, options);
  if (found.error) throw found.error;
  return found;
}

// A stream of responses with all that is known of it; `next` resolves to undefined at the end.
function reader(call) {
  const found = { waiting: [], ready: [] };
  const give = (value) => {
    const wake = found.waiting.shift();
    if (wake) wake(value);
    else found.ready.push(value);
  };
  found.next = () => new Promise((wake) => {
    if (found.ready.length) wake(found.ready.shift());
    else if (found.over) wake(undefined);
    else found.waiting.push(wake);
  });
  call.on('data', give);
  call.on('metadata', (initial) => { found.initial = initial; });
  call.on('error', () => {});
  found.status = new Promise((done) => call.on('status', (ending) => {
    found.over = true;
    while (found.waiting.length) found.waiting.shift()(undefined);
    done(ending);
  }));
  return found;
}

async function size(stream, wanted) {
  const response = await stream.next();
  assert.ok(response, 'a response is missing');
  assert.equal(response.payload.body.length, wanted);
}

async function finished(stream, code = status.OK) {
  assert.equal(await stream.next(), undefined);
  const ending = await stream.status;
  assert.equal(ending.code, code, ending.details);
  return ending;
}

async function large(client) {
  const { response } = await ok(client, 'UnaryCall', LARGE);
  assert.equal(response.payload.body.length, 314159);
}

const echo = { code: 2, message: 'test status message' };
const duplex = (ask, answer) => ({ response_parameters: [{ size: answer }], payload: payload(ask) });

function checkEcho(initial, trailing) {
  assert.deepEqual(initial.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value']);
  const [value] = trailing.get('x-grpc-test-echo-trailing-bin');
  assert.equal(Buffer.from(value).toString('hex'), 'ababab');
}

async function soak(client, next) {
  for (let done = 0; done < Number(given.soak_iterations || 10); done += 1) {
    client = next(client);
    await large(client);
  }
  return client;
}

const cases = {
  async empty_unary(client) { await ok(client, 'EmptyCall', {}); },

  async cacheable_unary(client) {
    const metadata = new grpc.Metadata();
    metadata.set('x-user-ip', '1.2.3.4');
    const request = { payload: { body: Buffer.from(String(process.hrtime.bigint())) } };
    const first = await ok(client, 'CacheableUnaryCall', request, { metadata });
    const second = await ok(client, 'CacheableUnaryCall', request, { metadata });
    assert.deepEqual(first.response.payload, second.response.payload);
  },

  large_unary: large,

  async client_streaming(client) {
    await new Promise((done, fail) => {
      const call = client.StreamingInputCall((error, response) => {
        if (error) fail(error);
        else done(assert.equal(response.aggregated_payload_size, 74922));
      });
      for (const each of REQUESTS) call.write({ payload: payload(each) });
      call.end();
    });
  },

  async server_streaming(client) {
    const parameters = RESPONSES.map((each) => ({ size: each }));
    const stream = reader(client.StreamingOutputCall({ response_parameters: parameters }));
    for (const each of RESPONSES) await size(stream, each);
    await finished(stream);
  },

  async ping_pong(client) {
    const call = client.FullDuplexCall();
    const stream = reader(call);
    for (const [index, each] of RESPONSES.entries()) {
      call.write(duplex(REQUESTS[index], each));
      await size(stream, each);
    }
    call.end();
    await finished(stream);
  },

  async empty_stream(client) {
    const call = client.FullDuplexCall();
    call.end();
    await finished(reader(call));
  },

  async custom_metadata(client) {
    const metadata = new grpc.Metadata();
    metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value');
    metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from('ababab', 'hex'));
    const { initial, status: ending } = await ok(client, 'UnaryCall', LARGE, { metadata });
    checkEcho(initial, ending.metadata);
    const call = client.FullDuplexCall(metadata);
    const stream = reader(call);
    call.write(duplex(271828, 314159));
    call.end();
    await size(stream, 314159);
    checkEcho(stream.initial, (await finished(stream)).metadata);
  },

  async status_code_and_message(client) {
    const { error } = await unary(client, 'UnaryCall', { response_status: echo });
    assert.deepEqual([error.code, error.details], [echo.code, echo.message]);
    const call = client.FullDuplexCall();
    const stream = reader(call);
    call.write({ response_status: echo });
    call.end();
    assert.equal((await finished(stream, echo.code)).details, echo.message);
  },

  async special_status_message(client) {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
    const { error } = await unary(client, 'UnaryCall', { response_status: { code: 2, message } });
    assert.deepEqual([error.code, error.details], [2, message]);
  },

  async unimplemented_method(client) {
    const { error } = await unary(client, 'UnimplementedCall', {});
    assert.equal(error.code, status.UNIMPLEMENTED);
  },

  async unimplemented_service() {
    const client = connect(root.grpc.testing.UnimplementedService);
    const { error } = await unary(client, 'UnimplementedCall', {});
    assert.equal(error.code, status.UNIMPLEMENTED);
  },

  async cancel_after_begin(client) {
    const error = await new Promise((done) => {
      const call = client.StreamingInputCall(done);
      setImmediate(() => call.cancel());
    });
    assert.equal(error.code, status.CANCELLED);
  },

  async cancel_after_first_response(client) {
    const call = client.FullDuplexCall();
    const stream = reader(call);
    call.write(duplex(27182, 31415));
    await size(stream, 31415);
    call.cancel();
    await finished(stream, status.CANCELLED);
  },

  async timeout_on_sleeping_server(client) {
    const call = client.FullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 });
    const stream = reader(call);
    call.write({ payload: payload(27182) });
    await finished(stream, status.DEADLINE_EXCEEDED);
  },

  async rpc_soak(client) { await soak(client, (same) => same); },

  async channel_soak(client) {
    await soak(client, (old) => {
      old.close();
      return connect();
    });
  },

  async concurrent_large_unary(client) {
    const calls = Number(given.concurrent_calls || 1000);
    for (let made = 0; made < calls; made += 100) {
      await Promise.all(Array.from({ length: Math.min(100, calls - made) }, () => large(client)));
    }
  },

  async long_lived_channel(client) {
    for (let done = 0; done < 5; done += 1) {
      await large(client);
      await new Promise((wake) => setTimeout(wake, 200));
    }
  },

  async orca_per_rpc(client) {
    const report = { cpu_utilization: 0.821, request_cost: { cost: 3456.32 },
      utilization: { util: 0.30499 } };
    const asked = { orca_per_query_report: { ...report, memory_utilization: 0.5847 } };
    const { status: ending } = await ok(client, 'UnaryCall', asked);
    const [data] = ending.metadata.get(ORCA_KEY);
    assert.ok(data, 'no load report came');
    const type = root.xds.service.orca.v3.OpenRcaService.service.StreamCoreMetrics;
    const found = type.responseDeserialize(data);
    assert.deepEqual({ ...found.request_cost, ...found.utilization },
      { ...report.request_cost, ...report.utilization });
    assert.deepEqual([found.cpu_utilization, found.mem_utilization], [0.821, 0.5847]);
  },

  async orca_oob(client) {
    const call = client.FullDuplexCall();
    const stream = reader(call);
    const reporting = connect(root.xds.service.orca.v3.OpenRcaService).StreamCoreMetrics(
      { report_interval: { seconds: 0, nanos: 1e8 } });
    const reports = reader(reporting);
    for (const [cpu, memory, util] of [[0.821, 0.5847, 0.30499], [0.29309, 0.2, 0.2039]]) {
      call.write({ response_parameters: [{ size: 1 }], orca_oob_report:
        { cpu_utilization: cpu, memory_utilization: memory, utilization: { util } } });
      await size(stream, 1);
      for (;;) {
        const found = await reports.next();
        assert.ok(found, 'the reports ended');
        if (found.cpu_utilization === cpu && found.mem_utilization === memory
          && found.utilization.util === util) break;
      }
    }
    reporting.cancel();
    call.end();
    await finished(stream);
  },
};

async function main() {
  const run = cases[given.test_case];
  if (!run) throw new Error(`this program has no case ${given.test_case}`);
  await run(connect());
}

main().then(() => {
  console.log(`${given.test_case}: passed`);
  process.exit(0);
}, (error) => {
  console.error(`${given.test_case}: ${error.message}`);
  process.exit(1);
});
