"""What servers answer, in both versions."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

import clarion
from clarion import reflection
from clarion.reflection.answers import Answers, Conversation
from clarion.reflection.versions import Version
from support.trial import POOL, SERVICE

GREET = ["trial/greet.proto", "trial/kinds.proto"]
GOOGLE = ["google/protobuf/struct.proto", "google/protobuf/timestamp.proto"]


class Asked:
    """A conversation, and its answers in short."""

    def __init__(self, version: Version, names: Any = ("b", "a"), pool: Any = POOL) -> None:
        self.messages = version.messages
        self._conversation = Conversation(Answers(lambda: names, pool), version)

    def raw(self, **question: Any) -> Any:
        request = self.messages.ServerReflectionRequest(host="h", **question)
        response = self._conversation.answer(request)
        assert type(response) is self.messages.ServerReflectionResponse
        assert (response.valid_host, response.original_request) == ("h", request)
        return response

    def files(self, **question: Any) -> list[str]:
        contents = self.raw(**question).file_descriptor_response.file_descriptor_proto
        names = [FileDescriptorProto.FromString(content).name for content in contents]
        # What was asked for is the first.
        return names[:1] + sorted(names[1:])

    def error(self, **question: Any) -> tuple[int, str]:
        error = self.raw(**question).error_response
        return error.error_code, error.error_message

    def extension(self, message: str, number: int) -> dict[str, Any]:
        request = self.messages.ExtensionRequest(containing_type=message, extension_number=number)
        return {"file_containing_extension": request}


@pytest.fixture(params=Version)
def asked(request: pytest.FixtureRequest) -> Asked:
    return Asked(request.param)


def test_services(asked: Asked) -> None:
    response = asked.raw(list_services="")
    assert [each.name for each in response.list_services_response.service] == ["a", "b"]


def test_no_services() -> None:
    response = Asked(Version.V1, names=()).raw(list_services="*")
    assert response.WhichOneof("message_response") == "list_services_response"


def test_a_file_by_its_name(asked: Asked) -> None:
    assert asked.files(file_by_filename="trial/more.proto") == [
        "trial/more.proto",
        "trial/kinds.proto",
    ]


@pytest.mark.parametrize(
    "symbol",
    [
        SERVICE,
        "trial.Greeter.Greet",
        "trial.Guest",
        "trial.Guest.first_name",
        "trial.Guest.KinEntry",
        "trial.Guest.known",
    ],
)
def test_a_file_by_what_it_defines(symbol: str, asked: Asked) -> None:
    assert asked.files(file_containing_symbol=symbol) == [GREET[0], *GOOGLE, GREET[1]]


def test_symbols_of_other_kinds(asked: Asked) -> None:
    assert asked.files(file_containing_symbol="trial.Extendable") == ["trial/kinds.proto"]
    assert asked.files(file_containing_symbol="trial.Mood")[0] == "trial/greet.proto"
    assert asked.files(file_containing_symbol="trial.more")[0] == "trial/more.proto"


def test_extensions(asked: Asked) -> None:
    response = asked.raw(all_extension_numbers_of_type="trial.Extendable")
    found = response.all_extension_numbers_response
    assert (found.base_type_name, list(found.extension_number)) == ("trial.Extendable", [100, 101])
    assert asked.files(**asked.extension("trial.Extendable", 101))[0] == "trial/more.proto"
    found = asked.raw(all_extension_numbers_of_type="trial.Guest").all_extension_numbers_response
    assert (found.base_type_name, list(found.extension_number)) == ("trial.Guest", [])


def test_what_was_sent_is_not_sent_again(asked: Asked) -> None:
    assert len(asked.files(file_containing_symbol=SERVICE)) == 4
    # But what is asked for is.
    assert asked.files(file_containing_symbol=SERVICE) == [GREET[0]]
    assert asked.files(file_by_filename="trial/kinds.proto") == [GREET[1]]
    assert asked.files(file_by_filename="trial/more.proto") == ["trial/more.proto"]


def test_what_there_is_not(asked: Asked) -> None:
    questions: list[dict[str, Any]] = [
        {"file_by_filename": "x"},
        {"file_containing_symbol": "x"},
        {"file_containing_symbol": ""},
        {"file_containing_symbol": "trial.Greeter.Nothing"},
        {"file_containing_symbol": "trial.Guest.nothing"},
        asked.extension("trial.Extendable", 150),
        asked.extension("x", 100),
        {"all_extension_numbers_of_type": "x"},
    ]
    assert [asked.error(**question)[0] for question in questions] == [5] * len(questions)
    assert asked.error(file_by_filename="x") == (5, "not found: x")
    assert asked.error(**asked.extension("x", 1)) == (5, "not found: extension 1 of x")
    assert len(asked.error(file_by_filename="x" * 5000)[1]) < 300


def test_no_question(asked: Asked) -> None:
    assert asked.error()[0] == 3


def test_clarions_own_services_are_known() -> None:
    from clarion.health.messages import messages

    messages()
    asked = Asked(Version.V1, pool=None)
    name = "grpc_health/v1/health.proto"
    assert asked.files(file_containing_symbol="grpc.health.v1.Health") == [name]


def test_services_of_a_server() -> None:
    class Anything(clarion.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> None:
            return None

    server: Any = clarion.server(None)  # type: ignore[arg-type]
    server.add_generic_rpc_handlers([clarion.method_handlers_generic_handler("a.A", {"M": None})])  # type: ignore[dict-item]
    server.add_generic_rpc_handlers([Anything()])
    server.add_generic_rpc_handlers([clarion.method_handlers_generic_handler("b.B", {"M": None})])  # type: ignore[dict-item]
    server.add_registered_method_handlers("c.C", {"M": None})
    reflection.add_service(server)
    services = {version.service for version in Version}
    assert server.core.service_names() == {"a.A", "b.B", "c.C", *services}
    server.stop(None)


def test_a_server_of_somebody_else() -> None:
    with pytest.raises(TypeError, match="give service_names"):
        reflection.add_service(object())  # type: ignore[arg-type]
