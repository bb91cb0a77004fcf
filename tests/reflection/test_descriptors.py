"""What a client makes of a server's answers, good and bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clarion.reflection import descriptors
from clarion.reflection.answers import Answers, Conversation
from clarion.reflection.descriptors import Descriptors, NotKnown, Questions, ReflectionError
from clarion.reflection.versions import Version
from support.trial import POOL, SERVICE, file

MESSAGES = Version.V1.messages
Answer = Callable[[Any], Any]


def ask(questions: Questions, answer: Answer) -> Any:
    try:
        request = next(questions)
        while True:
            request = questions.send(answer(request))
    except StopIteration as done:
        return done.value


def honest() -> Answer:
    return Conversation(Answers(lambda: ["b", "a", "b"], POOL), Version.V1).answer


def files(*contents: bytes) -> Any:
    return MESSAGES.ServerReflectionResponse(
        file_descriptor_response=MESSAGES.FileDescriptorResponse(file_descriptor_proto=contents)
    )


def error(code: int, message: str = "") -> Any:
    return MESSAGES.ServerReflectionResponse(
        error_response=MESSAGES.ErrorResponse(error_code=code, error_message=message)
    )


class Server:
    """Answers with given files, each alone, by their names; `trial.X` is in the first of them."""

    def __init__(self, **texts: str) -> None:
        self.asked = 0
        self.files = {
            f"{name}.proto": file(f'name: "{name}.proto" package: "trial" {text}')
            for name, text in texts.items()
        }

    def __call__(self, request: Any) -> Any:
        self.asked += 1
        if request.file_containing_symbol:
            return files(next(iter(self.files.values())))
        content = self.files.get(request.file_by_filename)
        return error(5) if content is None else files(content)


X = 'message_type { name: "X" }'


def fails(answer: Answer, symbol: str = "trial.X") -> str:
    with pytest.raises(ReflectionError) as caught:
        ask(Descriptors().need_symbol(symbol), answer)
    return str(caught.value)


def test_an_honest_server() -> None:
    known = Descriptors()
    answer = honest()
    assert ask(known.list_services(), answer) == ["a", "b"]
    ask(known.need_symbol(SERVICE), answer)
    service = known.pool.FindServiceByName(SERVICE)
    assert [method.name for method in service.methods][:2] == ["Greet", "GreetOften"]
    # What is there is not asked for.
    ask(known.need_symbol("trial.Mood"), lambda request: pytest.fail("asked"))
    # Nothing was told of it.
    with pytest.raises(KeyError):
        known.pool.FindFileByName("trial/more.proto")
    ask(known.need_extensions("trial.Extendable"), answer)
    extended = known.pool.FindMessageTypeByName("trial.Extendable")
    assert len(known.pool.FindAllExtensions(extended)) == 2
    with pytest.raises(NotKnown, match=r"does not know the file that defines no\.Such: not found"):
        ask(known.need_symbol("no.Such"), answer)


def test_imports_that_come_one_by_one() -> None:
    server = Server(
        a=f'dependency: "b.proto" dependency: "c.proto" {X}',
        b='dependency: "c.proto" message_type { name: "Y" }',
        c='dependency: "google/protobuf/duration.proto" message_type { name: "Z" }',
    )
    known = Descriptors()
    ask(known.need_symbol("trial.X"), server)
    assert known.pool.FindFileByName("google/protobuf/duration.proto")
    assert known.pool.FindMessageTypeByName("trial.Z")
    # The server has no google/protobuf.
    assert server.asked == 4


def test_imports_that_nobody_has() -> None:
    message = fails(Server(a=f'dependency: "gone.proto" {X}'))
    assert "does not know the file gone.proto, which a.proto imports: no reason given" in message
    for name in ("google/protobuf/gone.proto", "google/protobuf/go-ne.proto"):
        assert f"the file {name}," in fails(Server(a=f'dependency: "{name}" {X}'))


def test_circles() -> None:
    circle = Server(
        a=f'dependency: "b.proto" {X}', b='dependency: "c.proto"', c='dependency: "a.proto"'
    )
    shown = "a.proto -> b.proto -> c.proto -> a.proto"
    assert fails(circle) == f"the server's files import each other in a circle: {shown}"
    assert "a.proto -> a.proto" in fails(Server(a=f'dependency: "a.proto" {X}'))
    many = {f"f{number}": f'dependency: "f{(number + 1) % 20}.proto" {X}' for number in range(20)}
    assert "f3.proto -> ... -> f18.proto" in fails(Server(**many))


def test_a_long_way_down() -> None:
    """More than Python's stack would take."""
    texts = {f"f{number}": f'dependency: "f{number + 1}.proto"' for number in range(1500)}
    texts["f0"] += X
    known = Descriptors()
    ask(known.need_symbol("trial.X"), Server(**texts, f1500=""))
    assert known.pool.FindFileByName("f1500.proto")


def test_files_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(request: Any) -> Any:
        number = int(request.file_by_filename.removesuffix(".proto") or 0)
        return files(file(f'name: "{number}.proto" dependency: "{number + 1}.proto"'))

    monkeypatch.setattr(descriptors, "MAX_FILES", 50)
    assert fails(endless) == "the server has more than 50 files"


def test_large_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "MAX_BYTES", 10)
    assert fails(Server(a=X)) == "the server's files are larger than 10 bytes"


def test_only_what_is_kept_counts_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    content = Server(a=X).files["a.proto"]
    monkeypatch.setattr(descriptors, "MAX_BYTES", len(content) + 10)
    known = Descriptors()
    for _ in range(5):
        with pytest.raises(ReflectionError, match="sent one that does not"):
            ask(known.need_symbol("trial.X"), lambda request: files())
        with pytest.raises(ReflectionError, match="no google"):
            ask(known.need_symbol("trial.X"), lambda request: files(content, b"\xff"))
    ask(known.need_symbol("trial.X"), lambda request: files(content))
    more = file('name: "more.proto" message_type { name: "Y" }')
    with pytest.raises(ReflectionError, match="files are larger than"):
        ask(known.need_symbol("Y"), lambda request: files(more))


def test_a_file_that_imports_many() -> None:
    """They are looked at once each, and not again for every one that is added."""
    looks = 0

    class Counted(set[str]):
        def __contains__(self, name: object) -> bool:
            nonlocal looks
            looks += 1
            return super().__contains__(name)

    many = [f"f{number}.proto" for number in range(300)]
    first = file(
        'name: "a.proto" package: "trial"' + X + "".join(f' dependency: "{each}"' for each in many)
    )
    known = Descriptors()
    known._in_pool = Counted()
    contents = [file(f'name: "{each}"') for each in many]
    ask(known.need_symbol("trial.X"), lambda request: files(first, *contents))
    assert known.pool.FindFileByName("f299.proto")
    assert looks < 10 * len(many)


def test_the_wrong_file() -> None:
    assert "asked for the file that defines trial.X, and sent one that does not" in fails(
        Server(a='message_type { name: "Y" }')
    )
    server = Server(a=f'dependency: "b.proto" {X}')
    server.files["b.proto"] = file('name: "c.proto"')
    assert "asked for the file b.proto, which a.proto imports, and sent another" in fails(server)


def test_what_is_no_file() -> None:
    assert "no google.protobuf.FileDescriptorProto" in fails(lambda request: files(b"\xff\xff"))
    assert "and sent one that does not" in fails(lambda request: files())


def test_an_invalid_file() -> None:
    field = (
        'field { name: "y" number: 1 label: LABEL_OPTIONAL type: TYPE_MESSAGE type_name: ".no.Y" }'
    )
    message = fails(Server(a=f'message_type {{ name: "X" {field} }}'))
    assert message.startswith("the server's file a.proto is not valid: ")


def test_what_failed_may_be_asked_again() -> None:
    known = Descriptors()
    server = Server(a=f'dependency: "b.proto" {X}')
    with pytest.raises(NotKnown):
        ask(known.need_symbol("trial.X"), server)
    server.files["b.proto"] = file('name: "b.proto"')
    ask(known.need_symbol("trial.X"), server)
    assert known.pool.FindMessageTypeByName("trial.X")


def test_several_of_which_one_is_not_known() -> None:
    known = Descriptors()
    errors = ask(known.need_symbols(["trial.Nothing", SERVICE]), honest())
    assert list(errors) == ["trial.Nothing"]
    assert isinstance(errors["trial.Nothing"], NotKnown)
    assert known.pool.FindServiceByName(SERVICE)


def test_the_first_of_two_versions_counts() -> None:
    server = Server(a=X)
    known = Descriptors()
    ask(known.need_symbol("trial.X"), server)
    server.files = {"a.proto": file('name: "a.proto" package: "trial" message_type { name: "Y" }')}
    with pytest.raises(ReflectionError, match=r"defines trial\.Y, and sent one that does not"):
        ask(known.need_symbol("trial.Y"), server)


def test_errors() -> None:
    assert fails(lambda request: error(5, "who?")).endswith("defines trial.X: who?")
    assert fails(lambda request: error(7, "no")).endswith("PERMISSION_DENIED, no")
    assert fails(lambda request: error(77)).endswith("77, no reason given")
    assert len(fails(lambda request: error(7, "no" * 100_000))) < 2000
    empty = MESSAGES.ServerReflectionResponse()
    assert fails(lambda request: empty).endswith("and sent an empty response")
    with pytest.raises(ReflectionError, match="the list of services, and sent file_descriptor"):
        ask(Descriptors().list_services(), lambda request: files())


def test_extensions_that_there_are_not() -> None:
    honestly = honest()

    def answer(request: Any) -> Any:
        if request.HasField("file_containing_extension"):
            return files()
        return honestly(request)

    with pytest.raises(ReflectionError, match=r"extension 100 of trial\.Extendable, and sent one"):
        ask(Descriptors().need_extensions("trial.Extendable"), answer)
