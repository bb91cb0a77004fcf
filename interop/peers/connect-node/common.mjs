// What the programs share: the command line, the contract, the certificates, and how cases are run and told.
import fs from 'node:fs';
import path from 'node:path';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

// Flags are written --name=value; a bare --name is true.
export const given = {};
for (const word of process.argv.slice(2)) {
  const at = word.indexOf('=');
  if (at < 0) given[word.slice(2)] = 'true';
  else given[word.slice(2, at)] = word.slice(at + 1);
}

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, fs.readFileSync(given.descriptors)));

export const TestService = registry.getService('grpc.testing.TestService');
export const UnimplementedService = registry.getService('grpc.testing.UnimplementedService');
export const message = (name) => registry.getMessage(`grpc.testing.${name}`);

export const certificate = (name) => fs.readFileSync(path.join(given.certificates, name));
export const secure = given.use_tls === 'true';
export const payload = (size) => ({ body: new Uint8Array(size) });

export const INITIAL = 'x-grpc-test-echo-initial';
export const TRAILING = 'x-grpc-test-echo-trailing-bin';
export const REQUESTS = [27182, 8, 1828, 45904];
export const RESPONSES = [31415, 9, 2653, 58979];
export const SPECIAL = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';

// A case that the library cannot do throws this; it is told as such, and is no pass.
export class Unsupported extends Error {}

const CASE_SECONDS = 60;

// Runs the cases that --test_case names, one after the other: a line for each, exit status 1 if one failed.
export async function runCases(cases) {
  let failures = 0;
  for (const name of given.test_case.split(',')) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${CASE_SECONDS} s`)), CASE_SECONDS * 1000);
    });
    try {
      if (!cases[name]) throw new Unsupported('the program does not have this case');
      await Promise.race([cases[name](), late]);
      console.log(`${name}: passed`);
    } catch (error) {
      failures += 1;
      const word = error instanceof Unsupported ? 'unsupported' : 'failed';
      console.log(`${name}: ${word}: ${String(error.message).replaceAll('\n', ' ')}`);
    } finally {
      clearTimeout(timer);
    }
  }
  process.exit(failures ? 1 : 0);
}
