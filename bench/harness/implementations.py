"""Every server and client that is compared, and which of them this machine can run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.harness import toolchains
from bench.harness.layout import BENCH
from bench.harness.processes import Invalid, python, run_pinned
from bench.harness.toolchains import Missing

__all__ = ["Implementation", "candidates", "find", "neutral", "select"]


@dataclass(frozen=True)
class Implementation:
    """One library in one of its variants.

    `front_end` is "sync" or "aio" for the libraries with grpcio's API and "other" for the rest;
    `client` is empty where only the server is measured.
    """

    name: str
    library: str
    front_end: str
    loop: str
    server: tuple[str, ...]
    client: tuple[str, ...] = ()


def _grpc_like(library: str, front_end: str, loop: str) -> Implementation:
    options = (f"--library={library}", f"--loop={loop}")
    client_options = options if front_end == "aio" else options[:1]
    suffix = "-uvloop" if loop == "uvloop" else ""
    return Implementation(
        name=f"{library}-{front_end}{suffix}",
        library=library,
        front_end=front_end,
        loop=loop,
        server=tuple(
            python("bench.programs.python_server", f"--mode={front_end}", *options),
        ),
        client=tuple(python(f"bench.programs.{front_end}_client", *client_options)),
    )


def _grpclib(loop: str) -> Implementation:
    return Implementation(
        name="grpclib-uvloop" if loop == "uvloop" else "grpclib",
        library="grpclib",
        front_end="other",
        loop=loop,
        server=tuple(python("bench.programs.grpclib_server", f"--loop={loop}")),
        client=tuple(python("bench.programs.grpclib_client", f"--loop={loop}")),
    )


def candidates() -> list[Implementation]:
    """All that are known, in the order they are run and listed."""
    variants = [("sync", "asyncio"), ("aio", "asyncio"), ("aio", "uvloop")]
    go = str(toolchains.GO_PEER)
    node = ("node", str(BENCH / "peers" / "node" / "server.js"), str(toolchains.PROTO))
    return [
        *(_grpc_like("grpcio", front_end, loop) for front_end, loop in variants),
        *(_grpc_like("clarion", front_end, loop) for front_end, loop in variants),
        _grpclib("asyncio"),
        _grpclib("uvloop"),
        Implementation("floor", "floor", "other", "", tuple(python("bench.programs.floor_server"))),
        Implementation("grpc-js", "grpc-js", "other", "", node),
        Implementation("grpc-go", "grpc-go", "other", "", (go,), (go,)),
    ]


def _need_module(*names: str) -> None:
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise Missing(f"the Python package {name} is not installed")


def _need_clarion() -> None:
    # A subpackage could have the name of a function; only what can be called is the API.
    statement = (
        "import clarion, clarion.aio as aio\n"
        "for api in (clarion, aio):\n"
        "    for name in ('server', 'insecure_channel'):\n"
        "        if not callable(getattr(api, name, None)):\n"
        "            raise AttributeError(f'{api.__name__}.{name} is no function')\n"
    )
    try:
        run_pinned([sys.executable, "-c", statement])
    except Invalid as reason:
        raise Missing(f"clarion does not import: {reason}") from None


def _prepare(library: str) -> None:
    """Make a library ready to run, or raise Missing."""
    needs: dict[str, Callable[[], None]] = {
        "grpcio": lambda: _need_module("grpc"),
        "clarion": _need_clarion,
        "grpclib": lambda: _need_module("grpclib"),
        "grpc-js": toolchains.install_node,
        "grpc-go": toolchains.build_go,
        "floor": lambda: None,
    }
    needs[library]()


def select(
    known: Iterable[Implementation], wanted: Iterable[str]
) -> tuple[list[Implementation], list[str]]:
    """Those whose name begins with one of `wanted` (all if empty); the words that fit none."""
    known, wanted = list(known), list(wanted)
    chosen = [i for i in known if not wanted or any(i.name.startswith(w) for w in wanted)]
    strays = [w for w in wanted if not any(i.name.startswith(w) for i in known)]
    return chosen, strays


def find(known: Iterable[Implementation]) -> tuple[list[Implementation], dict[str, str]]:
    """Those that can run here, after building what must be built, and why each other one can't."""
    reasons: dict[str, str | None] = {}
    usable, skipped = [], {}
    for implementation in known:
        library = implementation.library
        if library not in reasons:
            try:
                _prepare(library)
                reasons[library] = None
            except Missing as missing:
                reasons[library] = str(missing)
        reason = reasons[library]
        uvloop = implementation.loop != "uvloop" or importlib.util.find_spec("uvloop") is not None
        if reason is None and not uvloop:
            reason = "the Python package uvloop is not installed"
        if reason is None:
            usable.append(implementation)
        else:
            skipped[implementation.name] = reason
    return usable, skipped


def neutral(usable: Iterable[Implementation], side: str) -> Implementation | None:
    """The other end, the same for all, that stands least in the way.

    grpc-go, else grpc-js, else grpcio's aio.

    `side` is "server" or "client"; only what has a program for that side is considered.
    """
    named = {i.name: i for i in usable if getattr(i, side)}
    for name in ("grpc-go", "grpc-js", "grpcio-aio"):
        if name in named:
            return named[name]
    return None
