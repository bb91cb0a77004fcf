"""The behaviour suite runs every test once per front end.

CLARION_BEHAVIOUR_IMPL=grpcio runs it against the reference instead, to validate the tests themselves.
CLARION_BEHAVIOUR_WEB=connect has all channels speak that, over HTTP/2: they are channels like any others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.front_end import FrontEnd
from support.libraries import Library, load
from support.loops import LoopThread

IMPLEMENTATIONS = {"clarion": "clarion", "grpcio": "grpc"}


IMPLEMENTATION = os.environ.get("CLARION_BEHAVIOUR_IMPL", "clarion")


WEB = os.environ.get("CLARION_BEHAVIOUR_WEB", "")

_OTHER_SERVER = "its server speaks gRPC alone"
_UNARY = "unary Connect has one head, which follows the handler"
# Tests by name, and why they are not about a channel of the web.
NOT_OF_THE_WEB = {
    **dict.fromkeys(
        (
            "test_a_call_that_was_never_handled_is_tried_again_once",
            "test_a_client_that_speaks_another_protocol_by_alpn",
            "test_a_retry_does_not_lose_a_message",
            "test_a_server_started_by_a_handler_outlives_the_request",
            "test_an_asynchronous_server_takes_generators",
            "test_an_asynchronous_server_takes_plain_handlers_on_its_thread_pool",
            "test_an_asynchronous_server_takes_readers_and_writers",
            "test_calls",
            "test_files_that_change_on_our_side",
            "test_files_that_change_under_traffic",
            "test_handlers_see_the_context_that_the_server_was_started_in",
            "test_plain_handlers_abort_and_set_trailing_metadata",
            "test_serializers_and_deserializers_of_both_sides",
            "test_sessions_are_resumed",
            "test_the_certificate_with_the_name_that_is_asked_for",
            "test_the_name_that_is_expected",
            "test_who_the_client_is",
        ),
        _OTHER_SERVER,
    ),
    **dict.fromkeys(
        (
            "test_a_client_counts_responses",
            "test_initial_metadata_arrives_before_the_first_response",
            "test_initial_metadata_goes_once",
        ),
        _UNARY,
    ),
    **dict.fromkeys(
        (
            "test_credentials_make_a_difference",
            "test_how_many_connections",
            "test_the_end_of_one_channel_is_not_that_of_others",
        ),
        "web channels share no connections",
    ),
    **dict.fromkeys(
        ("test_abort_with_ok", "test_abort_with_status_ok", "test_no_details"),
        "an error of Connect without a message is told by its HTTP status",
    ),
    **dict.fromkeys(
        (
            "test_a_client_without_http2",
            "test_a_server_with_connections_enough_turns_others_away",
            "test_large_messages_through_the_proxy",
        ),
        "a server with the web waits for its client's first word",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if WEB:
        for item in items:
            why = NOT_OF_THE_WEB.get(getattr(item, "originalname", ""))
            if why is not None:
                item.add_marker(pytest.mark.skip(reason=why))
    if IMPLEMENTATION != "grpcio":
        return
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            # Threads of grpcio that poll a channel's state trip over its being closed.
            item.add_marker(
                pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
            )


def _front_end(library: Library, name: str, loop: LoopThread) -> FrontEnd:
    if not WEB:
        return FrontEnd(library, name, loop)
    from support.web_channels import WebFront

    return WebFront(library, name, loop, protocol=WEB, http="2")


@pytest.fixture(scope="session")
def library() -> Library:
    return load(IMPLEMENTATIONS[IMPLEMENTATION])


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture(params=["sync", "aio"])
def front(request: pytest.FixtureRequest, library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    front = _front_end(library, request.param, loop)
    yield front
    front.close()


@pytest.fixture
def sync(library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    """For what only the sync front end has."""
    front = _front_end(library, "sync", loop)
    yield front
    front.close()


@pytest.fixture
def aio(library: Library, loop: LoopThread) -> Iterator[FrontEnd]:
    """For what only the asyncio front end has."""
    front = _front_end(library, "aio", loop)
    yield front
    front.close()
