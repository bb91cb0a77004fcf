"""Shared by the tests of the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarion.cli._protoc_binary import ProtocNotFoundError, find_protoc
from support.limits import give_time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    give_time(items, Path(__file__).parent)


@pytest.fixture(scope="session")
def protoc() -> Path:
    """The protoc of this environment."""
    try:
        return find_protoc()
    except ProtocNotFoundError as error:
        pytest.skip(str(error))
