"""Which calls a binary log has, and how much of them: the filter strings of gRFC A16, "Control Interface".

*                       every method, all of it
*{h}                    of messages only their lengths
*{m:256}                the first 256 bytes of each message, and no metadata
Foo/*,-Foo/Bar          every method of the service Foo but Bar
Foo/*,Foo/Bar{h:100;m}  Foo, and of the headers of Bar at most 100 bytes
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Filter", "Limits", "parse_filter"]

_PATTERN = re.compile(r"([\w./]+)/(\w+|\*)(.*)", re.ASCII | re.DOTALL)
_SIZE = r"(?::([0-9]+))?"
_AMOUNT = re.compile(rf"\{{(?:(h){_SIZE}|(m){_SIZE}|(h){_SIZE};(m){_SIZE})\}}")


class Limits(NamedTuple):
    """How much of a call is logged, in bytes; None: all.

    Attributes:
        header: of each block of metadata: the sum of its keys and values.
        message: of each message.
    """

    header: int | None = None
    message: int | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """What a filter string says.

    Attributes:
        default: for methods that nothing else is said of; None: they are not logged.
        services: by service, for all its methods.
        methods: by `service/method`; None: that one is not logged.
    """

    default: Limits | None = None
    services: Mapping[str, Limits] = field(default_factory=dict)
    methods: Mapping[str, Limits | None] = field(default_factory=dict)

    def limits(self, path: str) -> Limits | None:
        """How much to log of a method; None: nothing.

        Args:
            path: `/package.Service/Method`.
        """
        name = path.removeprefix("/")
        if name in self.methods:
            return self.methods[name]
        return self.services.get(name.rpartition("/")[0], self.default)


def parse_filter(text: str) -> Filter:
    """Read a filter string.

    Raises:
        ValueError: it is not one (gRFC A16 wants the process to stop then), or says two things of the same.
    """
    default: Limits | None = None
    services: dict[str, Limits] = {}
    methods: dict[str, Limits | None] = {}
    for item in text.split(",") if text.strip() else ():
        pattern = item.strip()
        if pattern.startswith("*"):
            if default is not None:
                raise _refused(text, pattern, "'*' is there twice")
            default = _amount(text, pattern, pattern[1:])
            continue
        excluded = pattern.startswith("-")
        found = _PATTERN.fullmatch(pattern.removeprefix("-"))
        if found is None:
            raise _refused(text, pattern, "it is neither '*' nor 'service/method' nor 'service/*'")
        service, method, amount = found.groups()
        name = f"{service}/{method}"
        if excluded and (method == "*" or amount):
            raise _refused(text, pattern, "'-' is for single methods, without an amount")
        if name in methods or (method == "*" and service in services):
            raise _refused(text, pattern, f"{name!r} is there twice")
        if excluded:
            methods[name] = None
        elif method == "*":
            services[service] = _amount(text, pattern, amount)
        else:
            methods[name] = _amount(text, pattern, amount)
    return Filter(default, services, methods)


def _amount(text: str, pattern: str, amount: str) -> Limits:
    if not amount:
        return Limits()
    found = _AMOUNT.fullmatch(amount)
    if found is None:
        raise _refused(
            text, pattern, f"{amount!r} should be of the kind '{{h}}', '{{m:256}}' or '{{h:64;m}}'"
        )
    h, header, m, message, both_h, both_header, both_m, both_message = found.groups()
    return Limits(
        _limit(h or both_h, header or both_header), _limit(m or both_m, message or both_message)
    )


def _limit(wanted: str | None, size: str | None) -> int | None:
    if not wanted:
        return 0
    return None if size is None else int(size)


def _refused(text: str, pattern: str, why: str) -> ValueError:
    return ValueError(f"the binary log filter {text!r} is not valid at {pattern!r}: {why}")
