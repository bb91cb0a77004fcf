"""`@grpc/grpc-js` as a client: a Node program that takes one JSON command per line.

`tests/peers/node/client.js` is the other half. Bytes travel as base64.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from support.clients import OpenCall, Outcome
from support.libraries import LIMIT, Metadata
from support.processes import START_LIMIT, LineProcess

__all__ = ["NODE", "NodeClient"]

NODE = Path(__file__).resolve().parent.parent / "peers" / "node"
"""Where the programs and, once installed, `node_modules` are."""


def _pack(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def _unpack(value: Any) -> Any:
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value


class _Program:
    """The command exchange: one answer per command, in order."""

    _ids = itertools.count()

    def __init__(self, process: LineProcess) -> None:
        self._process = process

    def __call__(self, limit: float = LIMIT, **command: Any) -> dict[str, Any]:
        self._process.send(json.dumps(command))
        answer: dict[str, Any] = self._process.receive(limit)
        assert "failure" not in answer, answer
        return answer

    def new_id(self) -> int:
        return next(self._ids)


class NodeClient:
    """A grpc-js channel. Bytes messages only; compression by channel only.

    Args:
        process: gives the program that is to be used; another one, when that one has failed. The channel is then made again.
    """

    def __init__(
        self,
        process: Callable[[], LineProcess],
        target: str,
        *,
        options: Sequence[tuple[str, Any]] = (),
        compression: str | None = None,
    ) -> None:
        self._find = process
        self._process: LineProcess | None = None
        algorithms = {None: 0, "NoCompression": 0, "Deflate": 1, "Gzip": 2}
        merged = {
            **dict(options),
            "grpc.default_compression_algorithm": algorithms[compression],
        }
        self._target, self._options = target, merged
        self._connected()

    def _connected(self) -> _Program:
        process = self._find()
        if process is not self._process:
            self._process, self._program = process, _Program(process)
            self._id = self._program.new_id()
            # The program may have been started just now.
            self._program(
                START_LIMIT,
                do="connect",
                id=self._id,
                target=self._target,
                options=self._options,
            )
        return self._program

    def open(
        self,
        path: str,
        pattern: str,
        requests: Iterable[Any] | None = None,
        *,
        metadata: Metadata | None = None,
        timeout: float | None = None,
        wait_for_ready: bool | None = None,
        **unsupported: Any,
    ) -> OpenCall:
        assert not unsupported, f"grpc-js has no {unsupported} per call"
        program = self._connected()
        call = program.new_id()
        packed = None if requests is None else [_pack(bytes(each)) for each in requests]
        program(
            do="open",
            id=call,
            channel=self._id,
            path=path,
            pattern=pattern,
            requests=packed,
            metadata=[[key, _pack(value)] for key, value in metadata or ()],
            timeout=timeout,
            waitForReady=bool(wait_for_ready),
        )
        return _NodeCall(program, call)

    def call(self, path: str, pattern: str, requests: Iterable[Any], **options: Any) -> Outcome:
        return self.open(path, pattern, requests, **options).finish()

    def close(self) -> None:
        if self._process is not None and self._process.alive:
            self._program(do="close", id=self._id)


class _NodeCall:
    def __init__(self, program: _Program, call: int) -> None:
        self._program = program
        self._id = call

    def write(self, message: Any) -> None:
        self._program(do="write", id=self._id, message=_pack(message))

    def done_writing(self) -> None:
        self._program(do="end", id=self._id)

    def read(self) -> Any:
        return _unpack(self._program(do="read", id=self._id)["message"])

    def cancel(self) -> None:
        self._program(do="cancel", id=self._id)

    def finish(self) -> Outcome:
        answer = self._program(do="finish", id=self._id)
        return Outcome(
            answer["code"],
            answer["details"],
            [_unpack(each) for each in answer["responses"]],
            [(key, _unpack(value)) for key, value in answer["initial"]],
            [(key, _unpack(value)) for key, value in answer["trailing"]],
        )
