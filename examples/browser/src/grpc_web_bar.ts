// The service on Google's client, the package `grpc-web`. Its own generator comes as a program for each platform and not from
// npm; so this says by hand what generated code would: which method there is, and how its messages become bytes.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { GrpcWebClientBase, MethodDescriptor, MethodType } from "grpc-web";
import type { ClientReadableStream, Metadata } from "grpc-web";

import type { BarClient, CallOptions } from "./clients";
import { Bar } from "./gen/coffee_pb";

type Method<I extends DescMessage, O extends DescMessage> = DescMethod & { input: I; output: O };

export class GrpcWebBar implements BarClient {
  private readonly client: GrpcWebClientBase;

  constructor(
    private readonly baseUrl: string,
    format: "text" | "binary",
  ) {
    this.client = new GrpcWebClientBase({ format });
  }

  menu: BarClient["menu"] = (request, options) => this.unary(Bar.method.menu, request, options);

  order: BarClient["order"] = (request, options) => this.unary(Bar.method.order, request, options);

  watch: BarClient["watch"] = (request, options) => this.serverStream(Bar.method.watch, request, options);

  collect: BarClient["collect"] = (request, options) => this.unary(Bar.method.collect, request, options);

  private unary<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>, request: MessageInitShape<I>, options: CallOptions = {},
  ): Promise<MessageShape<O>> {
    const descriptor = describe(method);
    return new Promise((resolve, reject) => {
      options.signal?.throwIfAborted();
      const call = this.client.rpcCall(
        this.baseUrl + descriptor.getName(), create(method.input, request), metadataOf(options), descriptor,
        (error, response) => (error ? reject(error) : resolve(response)),
      );
      // A call that is cancelled never answers.
      options.signal?.addEventListener("abort", () => {
        call.cancel();
        reject(options.signal?.reason);
      });
    });
  }

  private serverStream<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>, request: MessageInitShape<I>, options: CallOptions = {},
  ): AsyncIterable<MessageShape<O>> {
    options.signal?.throwIfAborted();
    const descriptor = describe(method);
    const call = this.client.serverStreaming(
      this.baseUrl + descriptor.getName(), create(method.input, request), metadataOf(options), descriptor,
    );
    return messages(call, options.signal);
  }
}

function describe<I extends DescMessage, O extends DescMessage>(
  method: Method<I, O>,
): MethodDescriptor<MessageShape<I>, MessageShape<O>> {
  // The client wants classes of messages, and does nothing with them.
  const anyClass = Object as unknown as new () => never;
  return new MethodDescriptor<MessageShape<I>, MessageShape<O>>(
    `/${method.parent.typeName}/${method.name}`,
    method.methodKind === "unary" ? MethodType.UNARY : MethodType.SERVER_STREAMING,
    anyClass,
    anyClass,
    (message: MessageShape<I>) => toBinary(method.input, message),
    (bytes: Uint8Array) => fromBinary(method.output, bytes),
  );
}

// The client makes the header grpc-timeout of a point in time by this name.
function metadataOf({ timeoutMs }: CallOptions): Metadata {
  return timeoutMs === undefined ? {} : { deadline: String(Date.now() + timeoutMs) };
}

// Events as an iteration, which ends the call when it is left.
async function* messages<T>(call: ClientReadableStream<T>, signal?: AbortSignal): AsyncGenerator<T> {
  const received: T[] = [];
  let outcome: { error?: unknown } | undefined;
  let wake = () => {};
  const finish = (result: { error?: unknown }) => {
    outcome ??= result;
    wake();
  };
  call.on("data", (message) => {
    received.push(message);
    wake();
  });
  call.on("error", (error) => finish({ error }));
  call.on("end", () => finish({}));
  const abort = () => finish({ error: signal?.reason });
  signal?.addEventListener("abort", abort);
  try {
    for (;;) {
      while (received.length) yield received.shift()!;
      if (outcome) break;
      await new Promise<void>((resolve) => (wake = resolve));
    }
    if ("error" in outcome) throw outcome.error;
  } finally {
    signal?.removeEventListener("abort", abort);
    call.cancel();
  }
}
