// The interop test server on grpc-js. It takes the official program's flags.
'use strict';

const { certificate, flags, grpc, package: root, payload } = require('./common.js');

const INITIAL = 'x-grpc-test-echo-initial';
const TRAILING = 'x-grpc-test-echo-trailing-bin';

// The server's load as the last test set it.
let load = {};

function echoMetadata(call) {
  const initial = call.metadata.get(INITIAL);
  if (initial.length) {
    const metadata = new grpc.Metadata();
    metadata.set(INITIAL, initial[0]);
    call.sendMetadata(metadata);
  }
  const trailing = new grpc.Metadata();
  for (const value of call.metadata.get(TRAILING)) trailing.add(TRAILING, value);
  return trailing;
}

const failed = (status) => status && status.code;

async function respond(call, request) {
  for (const each of request.response_parameters || []) {
    if (each.interval_us) await new Promise((done) => setTimeout(done, each.interval_us / 1000));
    call.write({ payload: payload(each.size) });
  }
}

function loadReport(report) {
  const { cpu_utilization, memory_utilization, request_cost, utilization } = report;
  return { cpu_utilization, mem_utilization: memory_utilization, request_cost, utilization };
}

const service = {
  EmptyCall: (call, callback) => callback(null, {}),

  UnaryCall(call, callback) {
    const request = call.request;
    const trailing = echoMetadata(call);
    if (failed(request.response_status)) {
      callback({ code: request.response_status.code, details: request.response_status.message,
        metadata: trailing });
      return;
    }
    const report = request.orca_per_query_report;
    if (report) {
      const mine = call.getMetricsRecorder();
      mine.recordCPUUtilizationMetric(report.cpu_utilization);
      mine.recordMemoryUtilizationMetric(report.memory_utilization);
      for (const [name, value] of Object.entries(report.utilization)) {
        mine.recordUtilizationMetric(name, value);
      }
      for (const [name, value] of Object.entries(report.request_cost)) {
        mine.recordRequestCostMetric(name, value);
      }
    }
    callback(null, { payload: payload(request.response_size) }, trailing);
  },

  StreamingOutputCall(call) {
    if (failed(call.request.response_status)) {
      const { code, message } = call.request.response_status;
      call.emit('error', { code, details: message });
      return;
    }
    respond(call, call.request).then(() => call.end());
  },

  StreamingInputCall(call, callback) {
    let size = 0;
    call.on('data', (request) => { size += request.payload ? request.payload.body.length : 0; });
    call.on('end', () => callback(null, { aggregated_payload_size: size }));
  },

  FullDuplexCall(call) {
    const trailing = echoMetadata(call);
    let last = Promise.resolve();
    call.on('data', (request) => {
      last = last.then(async () => {
        if (failed(request.response_status)) {
          const { code, message } = request.response_status;
          call.emit('error', { code, details: message, metadata: trailing });
          return;
        }
        if (request.orca_oob_report) load = loadReport(request.orca_oob_report);
        await respond(call, request);
      });
    });
    call.on('end', () => last.then(() => call.end(trailing)));
  },

  HalfDuplexCall(call) {
    const requests = [];
    call.on('data', (request) => requests.push(request));
    call.on('end', async () => {
      for (const request of requests) await respond(call, request);
      call.end();
    });
  },
};

const reports = {
  StreamCoreMetrics(call) {
    const wanted = call.request.report_interval || {};
    const interval = Math.max((wanted.seconds || 0) * 1000 + (wanted.nanos || 0) / 1e6, 50);
    const timer = setInterval(() => call.write(load), interval);
    call.write(load);
    call.on('cancelled', () => clearInterval(timer));
  },
};

const given = flags();
const server = new grpc.Server({
  'grpc.max_receive_message_length': -1,
  'grpc.server_call_metric_recording': 1,
});
server.addService(root.grpc.testing.TestService.service, service);
server.addService(root.xds.service.orca.v3.OpenRcaService.service, reports);
const credentials = given.use_tls === 'true'
  ? grpc.ServerCredentials.createSsl(null, [
    { cert_chain: certificate('server1.pem'), private_key: certificate('server1.key') },
  ])
  : grpc.ServerCredentials.createInsecure();
server.bindAsync(`localhost:${given.port}`, credentials, (error, port) => {
  if (error) {
    console.error(error.message);
    process.exit(1);
  }
  console.log(`listening on ${port}`);
});
process.on('SIGTERM', () => server.forceShutdown());
