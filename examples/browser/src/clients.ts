// The clients that the page can choose from. All are used in the same way.
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import type { MessageInitShape } from "@bufbuild/protobuf";

import { Bar } from "./gen/coffee_pb";
import type {
  CollectRequestSchema, MenuReply, MenuRequestSchema, OrderRequestSchema, Progress, Receipt, WatchRequestSchema,
} from "./gen/coffee_pb";
import { GrpcWebBar } from "./grpc_web_bar";

export interface CallOptions {
  // Ends the call before its time.
  signal?: AbortSignal;
  timeoutMs?: number;
}

// A client of @connectrpc/connect-web has these methods; GrpcWebBar has them on Google's client.
export interface BarClient {
  menu(request: MessageInitShape<typeof MenuRequestSchema>, options?: CallOptions): Promise<MenuReply>;
  order(request: MessageInitShape<typeof OrderRequestSchema>, options?: CallOptions): Promise<Receipt>;
  watch(request: MessageInitShape<typeof WatchRequestSchema>, options?: CallOptions): AsyncIterable<Progress>;
  collect(request: MessageInitShape<typeof CollectRequestSchema>, options?: CallOptions): Promise<Receipt>;
}

export interface Choice {
  id: string;
  name: string;
  // The npm package.
  from: string;
  connect(baseUrl: string): BarClient;
}

export const CHOICES: Choice[] = [
  {
    id: "connect-json",
    name: "Connect, JSON",
    from: "@connectrpc/connect-web",
    connect: (baseUrl) => createClient(Bar, createConnectTransport({ baseUrl, useHttpGet: true })),
  },
  {
    id: "connect-binary",
    name: "Connect, binary",
    from: "@connectrpc/connect-web",
    connect: (baseUrl) =>
      createClient(Bar, createConnectTransport({ baseUrl, useHttpGet: true, useBinaryFormat: true })),
  },
  {
    id: "grpc-web",
    name: "gRPC-Web, binary",
    from: "@connectrpc/connect-web",
    connect: (baseUrl) => createClient(Bar, createGrpcWebTransport({ baseUrl })),
  },
  {
    id: "google-text",
    name: "gRPC-Web, text",
    from: "grpc-web",
    connect: (baseUrl) => new GrpcWebBar(baseUrl, "text"),
  },
  {
    id: "google-binary",
    name: "gRPC-Web, binary",
    from: "grpc-web",
    connect: (baseUrl) => new GrpcWebBar(baseUrl, "binary"),
  },
];
