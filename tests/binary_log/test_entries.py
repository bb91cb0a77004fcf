"""Entries as messages, and what of metadata is in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.protobuf")

from clarion.binary_log import Limits, entry_class
from clarion.binary_log.descriptor import FILE, NAME
from clarion.binary_log.entries import (
    CANCEL,
    CLIENT,
    CLIENT_HEADER,
    CLIENT_MESSAGE,
    OMITTED,
    SERVER,
    SERVER_HEADER,
    SERVER_TRAILER,
    Event,
    make_entry,
    omitter,
)

OMITS = omitter(OMITTED)
EVERYTHING = Limits()
PROTOS = Path(__file__).parents[2] / "src/clarion/binary_log/protos"


def entry(kind: int, limits: Limits = EVERYTHING, **values: Any) -> Any:
    return make_entry(Event(1.25, 7, 2, kind, CLIENT, limits, **values), OMITS)


def keys(metadata: Any) -> list[str]:
    return [each.key for each in metadata.entry]


def test_a_request_begins() -> None:
    made = entry(
        CLIENT_HEADER,
        method="/a.B/C",
        authority="host",
        timeout=1.5,
        peer="ipv4:1.2.3.4:5",
        fields=((b"k", b"v"), (b"b-bin", b"\0\xff")),
    )
    assert (made.call_id, made.sequence_id_within_call, made.type, made.logger) == (7, 2, 1, 1)
    assert (made.timestamp.seconds, made.timestamp.nanos) == (1, 250_000_000)
    header = made.client_header
    assert (header.method_name, header.authority) == ("/a.B/C", "host")
    assert (header.timeout.seconds, header.timeout.nanos) == (1, 500_000_000)
    assert [(each.key, each.value) for each in header.metadata.entry] == [
        ("k", b"v"),
        ("b-bin", b"\0\xff"),
    ]
    assert (made.peer.type, made.peer.address, made.peer.ip_port) == (1, "1.2.3.4", 5)
    assert not made.payload_truncated
    assert not entry(CLIENT_HEADER, timeout=None).client_header.HasField("timeout")


def test_what_applications_do_not_see_is_omitted() -> None:
    names = (
        ":path :authority content-type content-encoding te user-agent lb-token grpc-timeout "
        "grpc-encoding authorization mine grpc-trace-bin"
    ).split()
    made = entry(SERVER_HEADER, fields=tuple((name.encode(), b"v") for name in names))
    assert keys(made.server_header.metadata) == ["mine", "grpc-trace-bin"]
    assert not made.payload_truncated
    own = make_entry(
        Event(0, 1, 1, SERVER_HEADER, SERVER, Limits(), fields=((b"X-My-Key", b""), (b"a", b""))),
        omitter(["x-my-*"]),
    )
    assert keys(own.server_header.metadata) == ["a"]
    assert not omitter([])(b"authorization")


def test_metadata_has_a_limit_that_traces_do_not_count_for() -> None:
    fields = ((b"aa", b"22"), (b"bb", b"333"), (b"grpc-trace-bin", b"x" * 100), (b"c", b""))
    made = entry(SERVER_HEADER, Limits(8, None), fields=fields)
    assert keys(made.server_header.metadata) == ["aa", "grpc-trace-bin"]
    assert made.payload_truncated
    exact = entry(SERVER_HEADER, Limits(10, None), fields=fields)
    assert keys(exact.server_header.metadata) == ["aa", "bb", "grpc-trace-bin", "c"]
    assert not exact.payload_truncated


def test_messages_and_statuses() -> None:
    made = entry(CLIENT_MESSAGE, data=b"abc", length=10)
    assert (made.message.data, made.message.length, made.payload_truncated) == (b"abc", 10, True)
    details = (b"grpc-status-details-bin", b"\x08\x05")
    made = entry(SERVER_TRAILER, code=5, details="no", fields=((b"k", b"v"), details))
    trailer = made.trailer
    assert (trailer.status_code, trailer.status_message) == (5, "no")
    assert trailer.status_details == b"\x08\x05"
    assert keys(trailer.metadata) == ["k"]
    cancelled = entry(CANCEL)
    assert (cancelled.type, cancelled.WhichOneof("payload")) == (7, None)
    assert not cancelled.HasField("peer")


@pytest.mark.parametrize(
    ("peer", "kind", "address", "port"),
    [
        ("ipv6:%5Bfe80::1%25eth0%5D:80", 2, "fe80::1", 80),
        ("ipv6:[::1]:443", 2, "::1", 443),
        ("unix:/run/x", 3, "/run/x", 0),
        ("vsock:1:2", 0, "vsock:1:2", 0),
    ],
)
def test_addresses(peer: str, kind: int, address: str, port: int) -> None:
    made = entry(SERVER_HEADER, peer=peer).peer
    assert (made.type, made.address, made.ip_port) == (kind, address, port)


def test_the_descriptor_is_what_protoc_makes_of_the_file(tmp_path: Path) -> None:
    from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc

    try:
        protoc = find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
    out = tmp_path / "set"
    command = [str(protoc), f"-I{PROTOS}", f"--descriptor_set_out={out}", NAME]
    subprocess.run(command, check=True, timeout=60)
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

    [made] = FileDescriptorSet.FromString(out.read_bytes()).file
    for message in made.message_type:
        for field in message.field:
            field.ClearField("json_name")
    assert made == FileDescriptorProto.FromString(FILE)


COPY = """
import sys
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, timestamp_pb2
from clarion import binary_log
from clarion.binary_log.descriptor import FILE
if sys.argv[1] == "after":
    binary_log.entry_class()
# Another release of the file, which somebody else brings.
other = descriptor_pb2.FileDescriptorProto.FromString(FILE)
other.options.go_package = "other"
descriptor_pool.Default().Add(other) if hasattr(descriptor_pool.Default(), "Add") else (
    descriptor_pool.Default().AddSerializedFile(other.SerializeToString()))
print(binary_log.entry_class().DESCRIPTOR.full_name)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_another_copy_of_the_file_does_no_harm(when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COPY, when],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "grpc.binarylog.v1.GrpcLogEntry\n"), done.stderr


def test_the_class_is_made_once() -> None:
    assert entry_class() is entry_class()
