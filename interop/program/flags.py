"""The command lines of both programs: the official programs' flags, and a few of our own.

Booleans are written as the official scripts write them: `--use_tls=true`, or bare `--use_tls`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

__all__ = ["CERTIFICATES", "client_flags", "server_flags"]

CERTIFICATES = Path(__file__).resolve().parent.parent / "certificates"


def _boolean(text: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in words:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return words[text.lower()]


def _switch(
    parser: argparse.ArgumentParser, name: str, text: str, *, default: bool = False
) -> None:
    parser.add_argument(name, type=_boolean, nargs="?", const=True, default=default, help=text)


def _ours(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--library", choices=("clarion", "grpc"), default="clarion")
    parser.add_argument("--front_end", choices=("sync", "aio"), default="sync")


def _account(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--service_account_key_file", help="a service account's JSON key file")
    parser.add_argument("--default_service_account", default="", help="e-mail of the account")
    parser.add_argument("--oauth_scope", default="", help="the scopes that tokens are for")


def client_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the client's command line."""
    parser = argparse.ArgumentParser("client.py", description="gRPC interop test client")
    parser.add_argument("--server_host", default="localhost")
    parser.add_argument("--server_port", type=int, default=8080)
    parser.add_argument("--server_host_override", help="the name that the server has to prove")
    parser.add_argument("--test_case", default="large_unary")
    _switch(parser, "--use_tls", "encrypt the connection")
    _switch(parser, "--use_test_ca", "trust the test authority instead of the system's")
    parser.add_argument("--ca_file", type=Path, default=CERTIFICATES / "ca.pem")
    parser.add_argument(
        "--custom_credentials_type",
        choices=("google_default_credentials", "compute_engine_channel_creds"),
        help="credentials in place of --use_tls",
    )
    _account(parser)
    parser.add_argument(
        "--additional_metadata", default="", help="key:value;key:value for each call"
    )
    parser.add_argument("--service_config_json", default="", help="the channel's service config")
    parser.add_argument("--soak_iterations", type=int, default=10)
    parser.add_argument("--soak_max_failures", type=int, default=0)
    parser.add_argument("--soak_per_iteration_max_acceptable_latency_ms", type=int, default=1000)
    parser.add_argument("--soak_overall_timeout_seconds", type=int, default=10)
    parser.add_argument("--soak_min_time_ms_between_rpcs", type=int, default=0)
    parser.add_argument("--soak_request_size", type=int, default=271828)
    parser.add_argument("--soak_response_size", type=int, default=314159)
    parser.add_argument("--soak_num_threads", type=int, default=1)
    parser.add_argument("--concurrent_calls", type=int, default=1000, help="concurrent_large_unary")
    parser.add_argument("--long_lived_calls", type=int, default=5, help="long_lived_channel")
    parser.add_argument(
        "--long_lived_interval_ms", type=int, default=200, help="long_lived_channel"
    )
    parser.add_argument(
        "--protocol",
        choices=("", "grpc", "grpc-web", "grpc-web-text", "connect"),
        default="",
        help="gRPC unless it is another; Clarion alone",
    )
    parser.add_argument("--http_version", choices=("auto", "1.1", "2"), default="auto")
    parser.add_argument("--codec", choices=("proto", "json"), default="proto")
    about = "the server takes streams both ways over HTTP/1.1, all requests before all responses"
    _switch(parser, "--half_duplex", about, default=True)
    _ours(parser)
    return parser.parse_args(arguments)


def server_flags(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the server's command line."""
    parser = argparse.ArgumentParser("server.py", description="gRPC interop test server")
    parser.add_argument("--port", type=int, default=8080, help="0: a free one, which is printed")
    _switch(parser, "--use_tls", "encrypt connections")
    parser.add_argument("--tls_cert_file", type=Path, default=CERTIFICATES / "server1.pem")
    parser.add_argument("--tls_key_file", type=Path, default=CERTIFICATES / "server1.key")
    parser.add_argument(
        "--authority_key_file",
        type=Path,
        default=CERTIFICATES / "service-account.key",
        help="bearer tokens signed with this key are believed",
    )
    _switch(parser, "--web", "serve gRPC-Web and Connect, too; Clarion alone")
    _ours(parser)
    return parser.parse_args(arguments)
