// What client and server share: the command line, the protos, the certificates.
'use strict';

const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const ROOT = path.resolve(__dirname, '..', '..');
const definition = loader.loadSync(
  ['interop_test.proto', 'orca_load_report.proto', 'orca_service.proto'],
  { includeDirs: [path.join(ROOT, 'protos')], keepCase: true, longs: Number, enums: Number, defaults: true },
);

// Flags are written --name=value; a bare --name is true.
function flags() {
  const found = {};
  for (const word of process.argv.slice(2)) {
    const at = word.indexOf('=');
    if (at < 0) found[word.slice(2)] = 'true';
    else found[word.slice(2, at)] = word.slice(at + 1);
  }
  return found;
}

const certificate = (name) => fs.readFileSync(path.join(ROOT, 'certificates', name));

module.exports = {
  certificate,
  flags,
  grpc,
  package: grpc.loadPackageDefinition(definition),
  payload: (size) => ({ type: 0, body: Buffer.alloc(size) }),
};
