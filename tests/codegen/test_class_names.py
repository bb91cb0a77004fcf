"""Names of classes that are added to grpcio-tools'."""

from __future__ import annotations

import pytest

from clarion.codegen.class_names import RESERVED, ClassNames, class_names, free_name


def test_names_of_a_service() -> None:
    assert class_names(["A"]) == [
        ClassNames("AAsyncStub", "ASyncServicer", "AAsyncServicer", static="A")
    ]


def test_what_is_added_gives_way() -> None:
    first, second, third = class_names(["A", "AAsync", "ASync"])
    assert first == ClassNames("AAsyncStub_", "ASyncServicer_", "AAsyncServicer_", static="A")
    assert second.async_stub == "AAsyncAsyncStub"
    assert third.sync_servicer == "ASyncSyncServicer"


def test_no_two_classes_have_one_name() -> None:
    services = ["A", "AAsync", "ASync", "AStub", "AServicer", "AAsyncStub", "AAsyncStub_"]
    names = [name for each in class_names(services) for name in vars(each).values() if name]
    names += [service + kind for service in services for kind in ("Stub", "Servicer")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("service", ["class", "None", "a__pb2", "AStub", *sorted(RESERVED)])
def test_no_static_class_where_its_name_is_taken(service: str) -> None:
    assert class_names(["A", service])[1].static == ""


def test_free_names() -> None:
    assert free_name("a", ()) == "a"
    assert free_name("a", ["a", "a_"]) == "a__"
