"""Files of entries: written, put aside, read, damaged; and the command that prints them."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("google.protobuf")

from clarion.binary_log import DamagedLogError, FileSink, Sink, describe, entry_class, read
from clarion.cli import main


def entry(call: int = 1, number: int = 1, **fields: Any) -> Any:
    return entry_class()(call_id=call, sequence_id_within_call=number, logger=1, **fields)


def numbers(path: Path) -> list[int]:
    return [each.sequence_id_within_call for each in read(path)]


def written(path: Path, *entries: Any) -> Path:
    sink = FileSink(path)
    for each in entries:
        sink.write(each)
    sink.close()
    return path


def test_each_entry_is_behind_its_length(tmp_path: Path) -> None:
    path = written(tmp_path / "log", entry())
    data = entry().SerializeToString()
    assert path.read_bytes() == len(data).to_bytes(4, "big") + data
    # A log is continued.
    assert numbers(written(path, entry(number=2))) == [1, 2]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_its_owner_reads_a_new_file(tmp_path: Path) -> None:
    path = written(tmp_path / "log", entry())
    assert path.stat().st_mode & 0o077 == 0


def test_large_files_are_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "log"
    size = 4 + len(entry(number=1).SerializeToString())
    sink = FileSink(path, max_bytes=2 * size, backups=2)
    for number in range(1, 8):
        sink.write(entry(number=number))
    sink.close()
    assert numbers(path) == [7]
    assert numbers(tmp_path / "log.1") == [5, 6]
    assert numbers(tmp_path / "log.2") == [3, 4]
    assert not (tmp_path / "log.3").exists()
    sink = FileSink(tmp_path / "single", max_bytes=1, backups=0)
    for number in range(1, 4):
        sink.write(entry(number=number))
    sink.close()
    assert numbers(tmp_path / "single") == [3]
    assert sorted(each.name for each in tmp_path.glob("single*")) == ["single"]


def test_the_process_is_in_the_name(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "log-%p")
    assert sink.path == str(tmp_path / f"log-{os.getpid()}")
    sink.close()


def test_a_full_disk_leaves_no_half_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    sink.write(entry(number=1))

    class Full:
        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> None:
            self.file.write(data[:3])
            self.file.flush()
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            self.file.close()

    monkeypatch.setattr(sink, "_file", Full(sink._file))
    with pytest.raises(OSError, match="No space"):
        sink.write(entry(number=2))
    sink.write(entry(number=3))
    sink.close()
    assert numbers(path) == [1, 3]


def test_what_another_process_wrote_is_not_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "log"
    sink = FileSink(path)
    other = FileSink(path)
    for number in range(1, 4):
        other.write(entry(number=number))

    def refuse(data: bytes) -> None:
        raise OSError(28, "No space left on device")

    broken = sink._file
    monkeypatch.setattr(
        sink, "_file", type("", (), {"write": staticmethod(refuse), "close": broken.close})()
    )
    with pytest.raises(OSError, match="No space"):
        sink.write(entry(number=9))
    sink.close()
    other.close()
    assert numbers(path) == [1, 2, 3]


def test_arguments_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="sizes are positive"):
        FileSink(tmp_path / "x", max_bytes=0)
    with pytest.raises(ValueError, match="sizes are positive"):
        FileSink(tmp_path / "x", backups=-1)
    with pytest.raises(TypeError):
        Sink()  # type: ignore[abstract]


def test_damaged_files(tmp_path: Path) -> None:
    good = written(tmp_path / "log", entry(number=1), entry(number=2)).read_bytes()
    for cut in (1, 3, len(entry().SerializeToString()) + 2):
        seen = []
        with pytest.raises(DamagedLogError, match="ends within"):
            seen.extend(read(io.BytesIO(good[:-cut])))
    for data in (good + b"\0\0\0\x03\xff\xff\xff", b"\0\xff\xff\xff", good + b"\x7f" * 8):
        with pytest.raises(DamagedLogError):
            list(read(io.BytesIO(data)))
    with pytest.raises(DamagedLogError):
        list(read(io.BytesIO(b"\xff" * 20)))
    assert list(read(io.BytesIO(b""))) == []


def test_the_files_of_grpc_java() -> None:
    data = entry(number=5, message={"data": bytes(300), "length": 300}).SerializeToString()
    length = bytes([len(data) & 0x7F | 0x80, len(data) >> 7])
    assert [each.message.length for each in read(io.BytesIO((length + data) * 2))] == [300, 300]
    with pytest.raises(DamagedLogError, match="within the length"):
        list(read(io.BytesIO(length + data + b"\x80")))


# As text


def metadata(**values: bytes) -> Any:
    pairs = [{"key": key.replace("_", "-"), "value": value} for key, value in values.items()]
    return {"entry": pairs}


CALL = (
    {
        "type": 1,
        "client_header": {
            "method_name": "/pkg.S/M",
            "authority": "host:1",
            "timeout": {"seconds": 2},
            "metadata": metadata(my_token=b"secret", plain=b"x\n"),
        },
        "peer": {"type": 2, "address": "::1", "ip_port": 5},
    },
    {"type": 3, "message": {"length": 5, "data": b"hel"}, "payload_truncated": True},
    {"type": 5},
    {"type": 2, "server_header": {"metadata": metadata(a=b"b")}, "payload_truncated": True},
    {"type": 4, "message": {"length": 2, "data": b"\x08\x05"}},
    {"type": 6, "trailer": {"status_code": 5, "status_message": "no"}},
    {"type": 7},
    {"type": 99},
)
TEXT = """\
1970-01-01T00:00:00.000000Z client call 1 #1 request headers /pkg.S/M at host:1 within 2 s peer [::1]:5
    my-token: <masked, 6 bytes>
    plain: x\\n
1970-01-01T00:00:00.000000Z client call 1 #2 request of 5 bytes: 13: ... (2 more bytes)
1970-01-01T00:00:00.000000Z client call 1 #3 no more requests
1970-01-01T00:00:00.000000Z client call 1 #4 response headers (truncated)
    a: b
1970-01-01T00:00:00.000000Z client call 1 #5 response of 2 bytes: 1: 5
1970-01-01T00:00:00.000000Z client call 1 #6 status NOT_FOUND: no
1970-01-01T00:00:00.000000Z client call 1 #7 cancelled
"""


def a_call(path: Path) -> Path:
    return written(path, *(entry(number=n, **each) for n, each in enumerate(CALL[:7], 1)))


def test_entries_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = a_call(tmp_path / "log")
    assert main(["binlog", "print", str(path)]) == 0
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if "#2" not in line] == [
        line for line in TEXT.splitlines() if "#2" not in line
    ]
    assert "#2 request of 5 bytes" in shown
    assert "(2 more bytes)" in shown
    assert "event 99" in describe(entry(**CALL[7]))


def test_what_is_printed_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(a_call(tmp_path / "log"))
    assert main(["binlog", "print", path, "--method", "/other/*"]) == 0
    assert main(["binlog", "print", path, "--call", "2"]) == 0
    assert capsys.readouterr().out == ""
    assert main(["binlog", "print", path, "--method", "/pkg.S/*", "--call", "1", "--secrets"]) == 0
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) == 10
    assert "my-token: secret" in shown


def test_messages_by_a_descriptor_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from google.protobuf import descriptor_pb2

    described: Any = descriptor_pb2.FileDescriptorSet()
    file = described.file.add(name="x.proto", package="pkg")
    file.message_type.add(name="R").field.add(name="count", number=1, type=5, label=1)
    method = file.service.add(name="S").method.add(name="M")
    method.input_type = method.output_type = ".pkg.R"
    descriptors = tmp_path / "set"
    descriptors.write_bytes(described.SerializeToString())
    path = str(a_call(tmp_path / "log"))
    assert main(["binlog", "print", path, "--descriptors", str(descriptors)]) == 0
    assert "response of 2 bytes, pkg.R: count: 5" in capsys.readouterr().out
    descriptors.write_bytes(b"\xff\xff")
    assert main(["binlog", "print", path, "--descriptors", str(descriptors)]) == 1
    assert "is not a FileDescriptorSet" in capsys.readouterr().err


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = a_call(tmp_path / "log")
    path.write_bytes(path.read_bytes()[:-1])
    assert main(["binlog", "print", str(path)]) == 1
    printed = capsys.readouterr()
    assert "#6" in printed.out
    assert "clarion binlog: the file ends within the entry" in printed.err
    assert main(["binlog", "print", str(tmp_path / "none")]) == 1
    assert main(["binlog"]) == 2
    assert main(["binlog", "print", "--help"]) == 0
