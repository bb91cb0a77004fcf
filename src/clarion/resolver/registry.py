"""Resolvers by their schemes.

A resolver is imported when a target has its scheme; what does I/O, above this layer, never otherwise.
"""

from __future__ import annotations

from importlib import import_module
from typing import TypeVar

from clarion.resolver.resolver import Resolver
from clarion.resolver.target import Target, is_port, parse_target

__all__ = ["find_resolver", "register", "target_of", "unregister"]

_AnyResolver = TypeVar("_AnyResolver", bound=type[Resolver])

# What comes with Clarion.
_OWN = {
    "dns": "dns",
    "passthrough": "passthrough",
    "ipv4": "fixed",
    "ipv6": "fixed",
    "unix": "fixed",
    "unix-abstract": "fixed",
    "vsock": "fixed",
    "http-proxy": "proxied",
    "srv": "srv",
    "kubernetes": "kubernetes",
}
# Those whose targets their resolvers parse.
_OWN_FORMS = ("srv", "kubernetes")

_registered: dict[str, type[Resolver]] = {}


def register(resolver: _AnyResolver) -> _AnyResolver:
    """Offer `resolver` to targets of its `scheme`; usable as a class decorator.

    A resolver for that scheme that is there already, Clarion's own included, is replaced for channels made from now on.

    Raises:
        TypeError: it has no scheme.
    """
    scheme = getattr(resolver, "scheme", None)
    if not isinstance(scheme, str) or not scheme:
        raise TypeError(f"{resolver!r} needs a class attribute `scheme`, with which targets begin")
    _registered[scheme] = resolver
    return resolver


def unregister(scheme: str) -> None:
    """Take back what `register` did for `scheme`: channels made from now on do not have it. Nothing if it did nothing."""
    _registered.pop(scheme, None)


def find_resolver(scheme: str) -> type[Resolver] | None:
    """The resolver for targets that begin with `scheme`, or None."""
    resolver = _registered.get(scheme)
    if resolver is None and scheme in _OWN:
        # Each module says which resolver it is about.
        resolver = import_module(f"clarion.resolver.{_OWN[scheme]}").RESOLVER
    return resolver


def target_of(text: str | bytes) -> Target:
    """Parse what a channel is given, which may be of a scheme that was registered; bytes are UTF-8.

    Raises:
        ValueError: the target is not of its scheme's form; says what is wrong.
    """
    if isinstance(text, str):
        scheme, separator, rest = text.partition(":")
        resolver = _registered.get(scheme)
        if resolver is None and scheme in _OWN_FORMS and not is_port(rest):
            resolver = find_resolver(scheme)
        if resolver is not None and separator:
            return Target(scheme, (), resolver.authority(rest), rest)
    return parse_target(text)
