"""`clarion.import_protos`: what is imported, and from where."""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import pytest

import clarion

GREETER = """\
package hook.%s;
message Hello { string name = 1; enum Tone { CALM = 0; LOUD = 1; } Tone tone = 2; message In { int32 x = 1; } }
enum Kind { SHORT = 0; LONG = 1; }
// Greets.
service Greeter { rpc Say(Hello) returns (Hello); }
"""


def test_one_module_has_it_all(tree: Any) -> None:
    folder = tree.package("one.protos")
    tree.write("one/protos/hello.proto", GREETER % "one")
    from one.protos import hello_proto  # type: ignore[import-not-found]

    assert hello_proto.__name__ == "one.protos.hello_proto"
    assert hello_proto.__file__ == str(folder / "hello.proto")
    hello = hello_proto.Hello(name="x", tone=hello_proto.Hello.LOUD)
    assert hello_proto.Hello.FromString(hello.SerializeToString()) == hello
    assert (hello_proto.LONG, hello_proto.Kind.Name(1)) == (1, "LONG")
    assert hello_proto.DESCRIPTOR.name == "one/protos/hello.proto"
    assert hello_proto.GreeterServicer.__doc__ == "Greets."
    assert hello_proto.GreeterStub.__module__ == "one.protos.hello_proto"
    assert hello_proto.add_GreeterServicer_to_server

    import one.protos.hello_proto as again  # type: ignore[import-not-found]

    assert again is hello_proto


def test_the_names_of_generated_modules(tree: Any) -> None:
    tree.package("two")
    tree.write("two/hello.proto", GREETER % "two")
    from two import hello_pb2, hello_pb2_grpc, hello_proto  # type: ignore[import-not-found]

    assert hello_pb2.Hello is hello_proto.Hello
    assert hello_pb2.Hello.In.DESCRIPTOR.full_name == "hook.two.Hello.In"
    assert not hasattr(hello_pb2, "GreeterStub")
    assert hello_pb2_grpc.GreeterStub is hello_proto.GreeterStub
    assert not hasattr(hello_pb2_grpc, "Hello")
    assert clarion.protos("two/hello.proto") is hello_pb2
    assert clarion.services("two/hello.proto") is hello_pb2_grpc


def test_a_call(tree: Any) -> None:
    tree.package("three")
    tree.write("three/hello.proto", GREETER % "three")
    from three import hello_proto  # type: ignore[import-not-found]

    class Greeter(hello_proto.GreeterServicer):  # type: ignore[misc, name-defined]
        def Say(self, request: Any, context: Any) -> Any:
            return hello_proto.Hello(name=f"Hello, {request.name}")

    server = clarion.server(futures.ThreadPoolExecutor(1))
    hello_proto.add_GreeterServicer_to_server(Greeter(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with clarion.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = hello_proto.GreeterStub(channel)
            assert stub.Say(hello_proto.Hello(name="x"), timeout=20).name == "Hello, x"
    finally:
        assert server.stop(None).wait(20)


def test_imports_of_all_kinds(tree: Any) -> None:
    tree.package("four.protos")
    tree.write("four/protos/base.proto", "package four; message Base { int32 x = 1; }")
    tree.write("four/protos/sub-dir/dep-x.proto", "package four.sub; message Dep { int32 y = 1; }")
    tree.write(
        "four/protos/sub-dir/deeper/main.proto",
        """\
        package four.main;
        // import "nowhere.proto";
        import "base.proto"; /* import "nowhere.proto"; */
        import /* this */ public 'four/protos/sub-dir/dep-x.proto';
        import "google/protobuf/timestamp.proto";
        import "four/protos/again.proto";
        import "four_outside/out.proto";
        message Main {
          Base base = 1;
          four.sub.Dep dep = 2;
          google.protobuf.Timestamp when = 3;
          Again again = 4;
          four.out.Out out = 5;
        }
        service Mains { rpc Get(four.sub.Dep) returns (four.out.Out); }
        """,
    )
    tree.write(
        "four/protos/again.proto",
        'package four.main; import "four/protos/base.proto"; message Again { Base base = 1; }',
    )
    tree.write("four_outside/out.proto", "package four.out; message Out { int32 z = 1; }")
    main = importlib.import_module("four.protos.sub_dir.deeper.main_proto")
    from google.protobuf.timestamp_pb2 import Timestamp

    base = importlib.import_module("four.protos.base_proto")
    dep = importlib.import_module("four.protos.sub_dir.dep_x_proto")
    again = importlib.import_module("four.protos.again_pb2")
    out = importlib.import_module("four_outside.out_pb2")
    assert type(main.Main().base) is type(again.Again().base) is base.Base
    assert type(main.Main().dep) is dep.Dep is main.Dep
    assert type(main.Main().when) is Timestamp
    assert type(main.Main().out) is out.Out
    assert main.MainsStub
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("four.protos.nowhere_proto")


def test_protos_of_installed_packages(tree: Any) -> None:
    http = pytest.importorskip("google.api.http_pb2", reason="googleapis-common-protos is not here")
    tree.package("five")
    tree.write(
        "five/api.proto",
        """\
        package five;
        import "google/api/annotations.proto";
        import "google/api/http.proto";
        message Five { google.api.Http http = 1; }
        service Fives { rpc Get(Five) returns (Five) { option (google.api.http) = { get: "/five" }; } }
        """,
    )
    # A copy for environments without the package: the installed one is taken.
    copy = Path(http.__file__).with_name("http.proto")
    assert copy.is_file()
    tree.write("five/google/api/http.proto", "").write_bytes(copy.read_bytes())
    api = importlib.import_module("five.api_proto")
    assert type(api.Five().http) is http.Http
    assert importlib.import_module("five.google.api.http_proto").Http is http.Http
    from google.api import annotations_pb2

    method = api.DESCRIPTOR.services_by_name["Fives"].methods_by_name["Get"]
    assert method.GetOptions().Extensions[annotations_pb2.http].get == "/five"


def test_files_of_one_name_in_two_packages(tree: Any) -> None:
    for name in ("six_a", "six_b"):
        tree.package(name)
        tree.write(f"{name}/hello.proto", f"package {name}; message Hello {{ int32 {name} = 1; }}")
    assert importlib.import_module("six_a.hello_proto").Hello(six_a=1).six_a == 1
    assert importlib.import_module("six_b.hello_proto").Hello(six_b=1).six_b == 1


def test_two_packages_that_import_each_other(tree: Any) -> None:
    tree.package("seven_a")
    tree.package("seven_b")
    tree.write("seven_a/base.proto", "package seven.a; message Base { int32 x = 1; }")
    tree.write(
        "seven_b/user.proto",
        'package seven.b; import "seven_a/base.proto"; message User { seven.a.Base base = 1; }',
    )
    user = importlib.import_module("seven_b.user_proto")
    assert type(user.User().base) is importlib.import_module("seven_a.base_proto").Base


def test_a_generated_file_comes_first(tree: Any) -> None:
    folder = tree.package("eight")
    tree.write("eight/hello.proto", GREETER % "eight")
    made = clarion.protos("eight/hello.proto")
    descriptor = made.DESCRIPTOR
    for name in [name for name in sys.modules if name.startswith("eight.")]:
        del sys.modules[name]
    (folder / "hello_pb2.py").write_text(
        "from google.protobuf import descriptor_pool\n"
        f"DESCRIPTOR = descriptor_pool.Default().AddSerializedFile({descriptor.serialized_pb!r})\n"
        "from google.protobuf.internal import builder\n"
        "builder.BuildMessageAndEnumDescriptors(DESCRIPTOR, globals())\n"
        "builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, 'hello_pb2', globals())\n"
        "mark = 8\n"
    )
    hello = importlib.import_module("eight.hello_proto")
    assert hello.mark == 8
    assert hello.Hello is importlib.import_module("eight.hello_pb2").Hello
    assert hello.GreeterStub is importlib.import_module("eight.hello_pb2_grpc").GreeterStub
    (folder / "hello_pb2_grpc.py").write_text("GreeterStub = 88\n")
    del sys.modules["eight.hello_pb2_grpc"]
    assert importlib.reload(hello).GreeterStub == 88


def test_messages_can_be_pickled(tree: Any) -> None:
    tree.package("nine.protos")
    tree.write("nine/protos/sub/hello.proto", GREETER % "nine")
    hello = importlib.import_module("nine.protos.sub.hello_proto")
    one, inner = hello.Hello(name="x"), hello.Hello.In(x=5)
    pickled = pickle.dumps((one, inner, hello.GreeterStub))
    assert pickle.loads(pickled) == (one, inner, hello.GreeterStub)
    # Another process imports what it needs by itself.
    said = tree.run(f"import pickle; print(pickle.loads({pickled!r})[1].x)")
    assert said == "5\n"


def test_reload(tree: Any) -> None:
    tree.package("ten")
    path = tree.write("ten/hello.proto", GREETER % "ten")
    ten = importlib.import_module("ten")
    hello = importlib.import_module("ten.hello_proto")
    before = hello.Hello(name="x")
    assert importlib.reload(ten) is ten
    assert importlib.reload(hello) is hello
    assert isinstance(before, hello.Hello)
    assert importlib.reload(importlib.import_module("ten.hello_pb2")).Hello is hello.Hello
    path.write_text(path.read_text().replace("name = 1", "name = 7"))
    with pytest.raises(ImportError, match="was changed after this process had loaded it"):
        importlib.reload(hello)


def test_names_that_another_file_has(tree: Any) -> None:
    tree.package("eleven")
    tree.write("eleven/hello.proto", "package eleven; message Hello {}")
    tree.write("eleven/same.proto", "package eleven; message Hello { int32 x = 1; }")
    importlib.import_module("eleven.hello_proto")
    with pytest.raises(ImportError, match="Message names are unique in a process") as caught:
        importlib.import_module("eleven.same_proto")
    assert caught.value.name == "eleven.same_proto"
    assert "eleven.same_proto" not in sys.modules


def test_a_message_named_as_a_stub(tree: Any) -> None:
    tree.package("twelve")
    tree.write(
        "twelve/hello.proto",
        "package twelve; message GreeterStub {} message clarion { } "
        "service Greeter { rpc Say(GreeterStub) returns (clarion); }",
    )
    hello = importlib.import_module("twelve.hello_proto")
    assert hello.GreeterStub is importlib.import_module("twelve.hello_pb2").GreeterStub
    stub = importlib.import_module("twelve.hello_pb2_grpc").GreeterStub
    assert stub is not hello.GreeterStub
    assert stub(clarion.insecure_channel("127.0.0.1:1")).Say


def test_two_files_for_one_module(tree: Any) -> None:
    tree.package("thirteen")
    tree.write("thirteen/a-b.proto", "")
    tree.write("thirteen/a_b.proto", "")
    with pytest.raises(ImportError, match=r"a-b\.proto and a_b\.proto"):
        importlib.import_module("thirteen.a_b_proto")


def test_other_names_are_not_touched(tree: Any) -> None:
    tree.package("fourteen")
    tree.write("fourteen/hello.proto", "package fourteen; message Hello {}")
    tree.write("fourteen_not/hello.proto", "package fourteen.no; message Hello {}")
    tree.write("hello14.proto", "package fourteen.top; message Hello {}")
    importlib.import_module("fourteen.hello_proto")
    for name in ("fourteen_not.hello_proto", "hello14_proto", "fourteen.none", "fourteen._proto"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    assert importlib.util.find_spec("fourteen.sub") is None
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from fourteen import nothing  # type: ignore[import-not-found]  # noqa: F401


def test_many_threads_at_once(tree: Any) -> None:
    tree.package("fifteen")
    tree.write("fifteen/shared.proto", "package fifteen; message Shared {}")
    for number in range(3):
        tree.write(
            f"fifteen/user{number}.proto",
            f'package fifteen; import "shared.proto"; message User{number} {{ Shared s = 1; }}'
            f"service Users{number} {{ rpc Get(Shared) returns (User{number}); }}",
        )
    names = [f"fifteen.user{number}_{kind}" for number in range(3) for kind in ("proto", "pb2")]
    names += [f"fifteen.user{number}_pb2_grpc" for number in range(3)] + ["fifteen.shared_proto"]
    # Python does not wait for a package that another thread imports, and it is the package that asks for the hook.
    importlib.import_module("fifteen")
    barrier = threading.Barrier(2 * len(names))

    def load(name: str) -> Any:
        barrier.wait(20)
        return importlib.import_module(name)

    with futures.ThreadPoolExecutor(2 * len(names)) as pool:
        modules = list(pool.map(load, names * 2, timeout=40))
    assert modules[: len(names)] == modules[len(names) :]
    shared = sys.modules["fifteen.shared_proto"].Shared
    for number in range(3):
        user = sys.modules[f"fifteen.user{number}_pb2"]
        assert type(getattr(user, f"User{number}")().s) is shared


def test_with_protos_in_other_threads(tree: Any) -> None:
    tree.package("sixteen")
    tree.write("sixteen/a.proto", "package sixteen; message A {}")
    tree.write("sixteen/b.proto", 'package sixteen; import "a.proto"; message B { A a = 1; }')
    importlib.import_module("sixteen")
    barrier = threading.Barrier(4)

    def load(number: int) -> Any:
        barrier.wait(20)
        if number % 2:
            return clarion.protos("sixteen/b.proto").B
        return importlib.import_module("sixteen.b_proto").B

    with futures.ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(load, range(4), timeout=40))) == 1


def test_a_package_in_a_zip_file(tree: Any, tmp_path: Path) -> None:
    archive = tmp_path / "seventeen.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("seventeen/__init__.py", "import clarion; clarion.import_protos(__name__)")
        file.writestr(
            "seventeen/hello.proto",
            'syntax = "proto3"; package seventeen; import "sub/dep.proto"; message Hello { Dep dep = 1; }',
        )
        file.writestr(
            "seventeen/sub/dep.proto", 'syntax = "proto3"; package seventeen; message Dep {}'
        )
        file.writestr("seventeen/bad.proto", 'syntax = "proto3";\nmessage {')
    said = tree.run(
        f"""\
        import sys
        sys.path.insert(0, {str(archive)!r})
        from seventeen import hello_proto
        from seventeen.sub import dep_proto
        assert type(hello_proto.Hello().dep) is dep_proto.Dep
        try:
            import seventeen.bad_proto
        except SyntaxError as error:
            print(error.filename, error.text)
        """
    )
    assert said == f"{archive / 'seventeen' / 'bad.proto'} message {{\n"


def test_misuse() -> None:
    with pytest.raises(ValueError, match=r"call import_protos\(__name__\) in the __init__\.py"):
        clarion.import_protos("__main__")
    with pytest.raises(TypeError, match="the package's name is a str"):
        clarion.import_protos(sys)  # type: ignore[arg-type]


def test_nothing_is_loaded_for_programs_without(tree: Any) -> None:
    said = tree.run(
        """\
        import sys, clarion
        assert not [name for name in sys.modules if "proto_imports" in name]
        finders = list(sys.meta_path)
        clarion.import_protos("not_there")
        assert sys.meta_path[:-1] == finders
        assert not [name for name in sys.modules if name.startswith(("google", "clarion.codegen"))]
        print("ok")
        """
    )
    assert said == "ok\n"


def test_count_protoc(tree: Any, count_protoc: Callable[[], int]) -> None:
    tree.package("eighteen")
    for number in range(4):
        tree.write(f"eighteen/f{number}.proto", f"package eighteen; message F{number} {{}}")
    tree.write(
        "eighteen/all.proto",
        "package eighteen;" + "".join(f'import "f{number}.proto";' for number in range(4)),
    )
    importlib.import_module("eighteen.all_proto")
    importlib.import_module("eighteen.f2_pb2_grpc")
    assert count_protoc() == 1
