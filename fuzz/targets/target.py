"""Target names and listening addresses: parsed, or `ValueError` that quotes them; what is parsed reads the same again."""

from __future__ import annotations

from clarion.resolver.target import HostPort, UnixAddress, parse_listen_address, parse_target

__all__ = ["fuzz_one"]


def _check(address: object) -> None:
    if isinstance(address, HostPort):
        assert 0 <= address.port <= 65_535
    else:
        assert isinstance(address, UnixAddress)
        assert address.path


def fuzz_one(data: bytes) -> None:
    """The bytes are the name."""
    for given in (data, data.decode("utf-8", "replace")):
        try:
            target = parse_target(given)
        except ValueError:
            continue
        assert target.addresses
        for address in target.addresses:
            _check(address)
            if target.scheme in ("ipv4", "ipv6", "unix", "unix-abstract"):
                again = f"{target.scheme}:{address}" if target.scheme[:2] == "ip" else str(address)
                if "%" not in again:
                    assert parse_target(again).addresses == (address,)
    try:
        _check(parse_listen_address(data.decode("utf-8", "replace")))
    except ValueError:
        pass
