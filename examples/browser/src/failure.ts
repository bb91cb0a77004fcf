// What clients throw, as the page shows it: the status's code and text, and what was wrong with the request.
import { fromBinary } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { RpcError } from "grpc-web";

import { BadRequestSchema, StatusSchema } from "./gen/error_details_pb";
import type { BadRequest } from "./gen/error_details_pb";

export interface Failure {
  code: string;
  message: string;
  violations: { field: string; description: string }[];
}

export function failureOf(error: unknown): Failure {
  if (error instanceof RpcError) {
    return failure(error.code as number, error.message, details(error));
  }
  // Whatever else was thrown, such as what an AbortSignal says, becomes an error of Connect's.
  const from = ConnectError.from(error);
  return failure(from.code, from.rawMessage, from.findDetails(BadRequestSchema));
}

function failure(code: number, message: string, requests: BadRequest[]): Failure {
  return {
    // Codes of Connect are those of gRPC, by number: InvalidArgument is INVALID_ARGUMENT.
    code: (Code[code] ?? "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase(),
    message,
    violations: requests.flatMap((request) => request.fieldViolations),
  };
}

// Connect's clients look into the details by themselves; Google's gives the metadata.
function details(error: RpcError): BadRequest[] {
  const bytes = error.metadata["grpc-status-details-bin"];
  if (!bytes) return [];
  return fromBinary(StatusSchema, base64Decode(bytes)).details.flatMap(
    (detail) => anyUnpack(detail, BadRequestSchema) ?? [],
  );
}
