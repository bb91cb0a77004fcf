// grpc-js server of hello.Greeter and hello.Bench: `node server.js PROTO`. Prints "PORT n" when it listens and
// leaves on SIGTERM.
'use strict';

const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const definition = loader.loadSync(process.argv[2], { keepCase: true });
const { hello } = grpc.loadPackageDefinition(definition);

function down(call) {
  const { count, size } = call.request;
  const item = { payload: Buffer.alloc(size) };
  let sent = 0;
  const pump = () => {
    while (sent < count) {
      sent += 1;
      if (!call.write(item) && sent < count) {
        call.once('drain', pump);
        return;
      }
    }
    call.end();
  };
  pump();
}

function talk(call) {
  call.on('data', (item) => {
    if (!call.write(item)) {
      call.pause();
      call.once('drain', () => call.resume());
    }
  });
  call.on('end', () => call.end());
}

const server = new grpc.Server({
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
});
server.addService(hello.Greeter.service, {
  SayHello: (call, reply) => reply(null, { message: `Hello, ${call.request.name}!` }),
});
server.addService(hello.Bench.service, {
  Down: down,
  Talk: talk,
  Echo: (call, reply) => reply(null, call.request),
});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`PORT ${port}`);
});
process.on('SIGTERM', () => {
  server.forceShutdown();
  process.exit(0);
});
