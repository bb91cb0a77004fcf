"""What is on the wire, and what happened to a call that failed.

python client.py            # or another port than 50051: python client.py 8080
CLARION_TRACE=all python client.py
"""

from __future__ import annotations

import sys

from google.protobuf.wrappers_pb2 import StringValue

import clarion
from clarion.wire_trace import TraceEvent


def show(event: TraceEvent) -> None:
    # str(event) is the whole of it: with the time, the connection and the peer.
    if event.category == "messages":
        print(f"{event.direction} {event.text}")
    elif "authorization" in event.text:
        [line] = [each for each in event.text.splitlines() if each.startswith("authorization")]
        print(f"{event.direction} {line}")


def main(port: str) -> None:
    # Before the channel: connections that are open already are not shown.
    with (
        clarion.trace("frames,messages", to=show),
        clarion.insecure_channel(f"localhost:{port}") as channel,
    ):
        greet = channel.unary_unary(
            "/example.Greeter/Greet",
            request_serializer=StringValue.SerializeToString,
            response_deserializer=StringValue.FromString,
        )
        greet(StringValue(value="Alice"), metadata=(("authorization", "Bearer secret"),))

    # What happened, and when, to a call that failed.
    options = [("clarion.timeline", 1)]
    with clarion.insecure_channel(f"localhost:{port}", options=options) as channel:
        try:
            channel.unary_unary("/example.Greeter/Greet")(b"")
        except clarion.RpcError as error:
            print(error.code().name)
            for entry in error.timeline[-3:]:
                print(f"- {entry.text}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "50051")
