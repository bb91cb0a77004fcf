// What the server and the client program share: bytes and metadata as JSON, and bytes as messages.
'use strict';

const grpc = require('@grpc/grpc-js');

const identity = (bytes) => bytes;
const pack = (value) => (Buffer.isBuffer(value) ? { base64: value.toString('base64') } : value);
const unpack = (value) =>
  value !== null && typeof value === 'object' ? Buffer.from(value.base64, 'base64') : value;

function toMetadata(pairs, options) {
  const metadata = new grpc.Metadata(options);
  for (const [key, value] of pairs) metadata.add(key, unpack(value));
  return metadata;
}

function fromMetadata(metadata) {
  if (!metadata) return [];
  return Object.keys(metadata.getMap()).flatMap((key) =>
    metadata.get(key).map((value) => [key, pack(value)]));
}

function codeName(code) {
  return Object.keys(grpc.status).find((name) => grpc.status[name] === code);
}

function say(message) {
  process.stdout.write(JSON.stringify(message) + '\n');
}

module.exports = { codeName, fromMetadata, grpc, identity, pack, say, toMetadata, unpack };
