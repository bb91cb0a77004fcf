"""The interop test client: runs one case against a server, and exits with 0 if it passed.

    python interop/client.py --server_host=localhost --server_port=8080 --test_case=large_unary \\
        --use_tls=true --use_test_ca=true --server_host_override=foo.test.google.fr

The flags are the official programs'; `--front_end` chooses sync or aio, `--library` Clarion or grpcio.
`--protocol`, `--http_version` and `--codec` are for gRPC-Web and Connect. Several cases, with commas between
them, run one after the other; for each a line says what came of it, and all have to pass.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from interop.cases import CASES, WEB_CASES, Case
from interop.program.aio_session import AioSession
from interop.program.channel_credentials import channel_credentials
from interop.program.flags import client_flags
from interop.program.library import Library, Unsupported, load
from interop.program.session import Failure, Metadata
from interop.program.sync_session import SyncSession, run_to_end

__all__ = ["main", "run_case"]

_UNLIMITED = -1

# The policy with which the official programs read load reports. This one reads them itself, see `cases`.
_REPORTS = "test_backend_metrics_load_balancer"


def _connect(library: Library, flags: argparse.Namespace) -> Any:
    target = f"{flags.server_host}:{flags.server_port}"
    options: list[tuple[str, Any]] = [
        ("grpc.max_receive_message_length", _UNLIMITED),
        ("grpc.enable_http_proxy", 0),
        # A channel of its own for each session, also where the library would share connections.
        ("grpc.use_local_subchannel_pool", 1),
    ]
    if flags.service_config_json and _REPORTS not in flags.service_config_json:
        options.append(("grpc.service_config", flags.service_config_json))
    module = library.aio if flags.front_end == "aio" else library.root
    credentials = channel_credentials(library, flags)
    if flags.protocol not in ("", "grpc"):
        return _web_channel(module, target, credentials, options, flags)
    if credentials is None:
        return module.insecure_channel(target, options=options)
    if flags.server_host_override:
        options.append(("grpc.ssl_target_name_override", flags.server_host_override))
        options.append(("grpc.default_authority", flags.server_host_override))
    return module.secure_channel(target, credentials, options=options)


def _web_channel(
    module: Any, target: str, credentials: Any, options: list[Any], flags: argparse.Namespace
) -> Any:
    if flags.server_host_override:
        options.append(("grpc.ssl_target_name_override", flags.server_host_override))
    return module.web_channel(
        f"{'http' if credentials is None else 'https'}://{target}",
        protocol=flags.protocol,
        codec=flags.codec,
        http=flags.http_version,
        get=flags.protocol == "connect",
        # The cases that need both directions at the same time are not run over HTTP/1.1.
        half_duplex=flags.half_duplex,
        credentials=credentials,
        options=options,
    )


def _metadata(flags: argparse.Namespace) -> Metadata:
    pairs = [pair.partition(":") for pair in flags.additional_metadata.split(";") if pair]
    return [(key, value) for key, _, value in pairs]


async def _run(kind: Any, case: Case, library: Library, flags: argparse.Namespace) -> None:
    session = kind(library, lambda: _connect(library, flags), _metadata(flags))
    try:
        await case.run(session, flags)
    finally:
        await session.close()


def run_case(flags: argparse.Namespace) -> None:
    """Run the case that the flags name.

    Raises:
        Failure: it did not pass.
        Unsupported: the library cannot do what it needs.
    """
    known = {**CASES, **WEB_CASES}
    case = known.get(flags.test_case)
    if case is None:
        raise Unsupported(f"there is no case {flags.test_case!r}; there are {', '.join(known)}")
    if case.secure and not (flags.use_tls or flags.custom_credentials_type):
        raise Unsupported("the case needs --use_tls: tokens are not sent in the clear")
    library = dataclasses.replace(load(flags.library), json=flags.codec == "json")
    if flags.front_end == "aio":
        asyncio.run(_run(AioSession, case, library, flags))
    else:
        run_to_end(_run(SyncSession, case, library, flags))


def _run_each(flags: argparse.Namespace) -> int:
    """Run several cases; what is wrong with one must not cost the others."""
    status = 0
    for name in flags.test_case.split(","):
        try:
            run_case(argparse.Namespace(**{**vars(flags), "test_case": name}))
            words = "passed"
        except Unsupported as error:
            words = f"unsupported: {error}"
        except Exception as error:
            words = f"failed: {type(error).__name__}: {error}".replace("\n", " ")
        print(f"{name}: {words}", flush=True)
        status = status if words == "passed" else 1
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    flags = client_flags(arguments)
    if "," in flags.test_case:
        return _run_each(flags)
    try:
        run_case(flags)
    except (Failure, Unsupported) as error:
        print(f"{flags.test_case}: {error}", file=sys.stderr)
        return 1 if isinstance(error, Failure) else 2
    print(f"{flags.test_case}: passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
