// grpc-js as a client: one JSON command per input line, one JSON answer each, in order.
// support/node.py is the other half and says what the commands are.
'use strict';

const readline = require('node:readline');
const { codeName, fromMetadata, grpc, identity, pack, say, toMetadata, unpack } = require('./common');

const channels = new Map();
const calls = new Map();

// One RPC: responses wait in `unread` until a read or the finish takes them.
class Call {
  constructor(client, { path, pattern, requests, metadata, timeout, waitForReady }) {
    this.unread = [];
    this.initial = [];
    this.status = null;
    this.wakes = [];
    const options = timeout === null ? {} : { deadline: Date.now() + timeout * 1000 };
    const sent = toMetadata(metadata, { waitForReady });
    const streams = pattern.startsWith('stream');
    const first = streams ? [] : [unpack(requests[0])];
    const one = pattern.endsWith('unary');
    const verb = { unary_unary: 'Unary', unary_stream: 'ServerStream', stream_unary: 'ClientStream',
      stream_stream: 'BidiStream' }[pattern];
    const callback = one ? [(error, response) => this.arrive(error ? null : response)] : [];
    this.raw = client[`make${verb}Request`](
      path, identity, identity, ...first, sent, options, ...callback);
    this.raw.on('metadata', (received) => { this.initial = fromMetadata(received); });
    this.drained = one;
    this.raw.on('status', (status) => {
      this.status = status;
      this.wake();
    });
    if (!one) {
      const drain = () => {
        this.drained = true;
        this.wake();
      };
      this.raw.on('data', (message) => this.arrive(message));
      this.raw.on('end', drain);
      this.raw.on('error', drain); // The status tells which.
    }
    if (streams && requests !== null) {
      for (const request of requests) this.raw.write(unpack(request));
      this.raw.end();
    }
  }

  arrive(message) {
    if (message !== null) this.unread.push(message);
    this.wake();
  }

  wake() {
    for (const wake of this.wakes.splice(0)) wake();
  }

  ended() {
    return this.status !== null && this.drained;
  }

  async until(condition) {
    while (!condition()) await new Promise((wake) => this.wakes.push(wake));
  }

  async read() {
    await this.until(() => this.unread.length || this.ended());
    return this.unread.length ? pack(this.unread.shift()) : null;
  }

  async finish() {
    await this.until(() => this.ended());
    const { code, details, metadata } = this.status;
    return {
      code: codeName(code), details, responses: this.unread.map(pack),
      initial: this.initial, trailing: fromMetadata(metadata),
    };
  }
}

const commands = {
  async connect({ id, target, options }) {
    channels.set(id, new grpc.Client(target, grpc.credentials.createInsecure(), options));
  },
  async close({ id }) {
    channels.get(id).close();
  },
  async open(command) {
    calls.set(command.id, new Call(channels.get(command.channel), command));
  },
  async write({ id, message }) {
    calls.get(id).raw.write(unpack(message));
  },
  async end({ id }) {
    calls.get(id).raw.end();
  },
  async cancel({ id }) {
    calls.get(id).raw.cancel();
  },
  async read({ id }) {
    return { message: await calls.get(id).read() };
  },
  async finish({ id }) {
    return calls.get(id).finish();
  },
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    try {
      say((await commands[command.do](command)) || {});
    } catch (error) {
      say({ failure: String(error.stack) });
    }
  }
  process.exit(0);
}

main();
