// The echo service of support/echo.py on grpc-js: `node server.js PORT`, 0 for a free port.
// Prints one JSON line with its ports; ends when its input ends.
'use strict';

const readline = require('node:readline');
const { fromMetadata, grpc, identity, say, toMetadata } = require('./common');

const records = new Map();
const waiters = new Map();
const arrived = new Map();

function record(key, value) {
  records.set(key, value);
  for (const wake of waiters.get(key) || []) wake();
  waiters.delete(key);
}

function recorded(key) {
  if (records.has(key)) return Promise.resolve();
  return new Promise((wake) => waiters.set(key, [...(waiters.get(key) || []), wake]));
}

function arrive(key, expected) {
  arrived.set(key, (arrived.get(key) || 0) + 1);
  if (arrived.get(key) === expected) record(key, null);
  return recorded(key);
}

function remaining(call) {
  const deadline = call.getDeadline();
  if (deadline === Infinity) return null;
  return (Number(deadline) - Date.now()) / 1000;
}

function untilCancelled(call) {
  return new Promise((wake) => (call.cancelled ? wake() : call.on('cancelled', wake)));
}

async function pause(call, script) {
  if (script.meet) await arrive(...script.meet);
  if (script.hold) {
    record(`${script.hold}:started`, null);
    await recorded(script.hold);
  }
  if (script.hang) {
    record(`${script.hang}:started`, remaining(call));
    await untilCancelled(call);
    record(`${script.hang}:ended`, true);
  }
}

// Each exchange returns the reply of a method with one response.
const exchanges = {
  async unaryUnary(call, script) {
    await pause(call, script);
    return reply(script, [call.request]);
  },
  async unaryStream(call, script) {
    await pause(call, script);
    for (let i = 0; i < (script.count ?? 3); i++) call.write(reply(script, [call.request]));
  },
  async streamUnary(call, script) {
    const requests = [];
    for await (const request of call) {
      requests.push(request);
      if (requests.length === 1) await pause(call, script);
      if (requests.length === script.early) break;
    }
    return reply(script, requests);
  },
  async streamStream(call, script) {
    let seen = 0;
    for await (const request of call.iterator({ destroyOnReturn: false })) {
      seen += 1;
      if (seen === 1) await pause(call, script);
      call.write(reply(script, [request]));
      if (seen === script.early) return;
    }
    if (script.after) call.write(Buffer.from('after'));
  },
};

function reply(script, requests) {
  return script.size === undefined ? Buffer.concat(requests) : Buffer.alloc(script.size, 'x');
}

async function serve(exchange, call, finish) {
  const script = JSON.parse(call.metadata.get('x-script')[0] || '{}');
  const chosen = (prefix) => toMetadata(
    script.echo ? fromMetadata(call.metadata).filter(([key]) => key.startsWith(prefix)) : []);
  if (script.echo) call.sendMetadata(chosen('i-'));
  const trailing = chosen('t-');
  try {
    const response = await exchange(call, script);
    if (script.raise) throw new Error(script.raise);
    if (script.code) {
      finish({ code: grpc.status[script.code], details: script.details, metadata: trailing });
    } else {
      finish(null, response, trailing);
    }
  } catch (error) {
    finish({ code: grpc.status.UNKNOWN, details: String(error), metadata: trailing });
  }
}

function one(exchange) {
  return (call, callback) => serve(exchange, call, callback);
}

function many(exchange) {
  return (call) => serve(exchange, call, (error, _, trailing) => {
    if (error) call.emit('error', error);
    else call.end(trailing);
  });
}

function definition(path, requestStream, responseStream) {
  return {
    path, requestStream, responseStream,
    requestSerialize: identity, requestDeserialize: identity,
    responseSerialize: identity, responseDeserialize: identity,
  };
}

const echo = {
  UnaryUnary: definition('/peers.Echo/UnaryUnary', false, false),
  UnaryStream: definition('/peers.Echo/UnaryStream', false, true),
  StreamUnary: definition('/peers.Echo/StreamUnary', true, false),
  StreamStream: definition('/peers.Echo/StreamStream', true, true),
};
const control = { Recorded: definition('/peers.Control/Recorded', false, false) };

function start(port, options) {
  const server = new grpc.Server(options);
  server.addService(echo, {
    UnaryUnary: one(exchanges.unaryUnary),
    UnaryStream: many(exchanges.unaryStream),
    StreamUnary: one(exchanges.streamUnary),
    StreamStream: many(exchanges.streamStream),
  });
  server.addService(control, {
    async Recorded(call, callback) {
      const key = call.request.toString();
      await recorded(key);
      callback(null, Buffer.from(JSON.stringify(records.get(key))));
    },
  });
  return new Promise((resolve, reject) => server.bindAsync(
    `127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(),
    (error, bound) => (error ? reject(error) : resolve([server, bound]))));
}

async function main() {
  const port = Number(process.argv[2]);
  const [server, plain] = await start(port, {});
  const ports = { plain };
  if (!port) {
    ports.roomy = (await start(0, { 'grpc.max_receive_message_length': 16 << 20 }))[1];
  }
  say(ports);
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const [command, argument] = line.split(' ');
    if (command === 'release') {
      record(argument, null);
    } else {
      say({ stopping: true });
      const force = setTimeout(() => server.forceShutdown(), Number(argument) * 1000);
      server.tryShutdown(() => {
        clearTimeout(force);
        say({ stopped: true });
      });
    }
  });
  lines.on('close', () => process.exit(0));
}

main();
