"""From the names that applications give to addresses that can be connected to.

`target` parses targets, `registry` knows resolvers by their schemes, `resolver` says what a resolver is; most other
modules are one resolver, or the part of it that needs no I/O. What does I/O is in `clarion.name_lookup`.

To offer a scheme of your own, subclass `Resolver`, give it a `scheme`, and decorate it with `register`.
"""

from __future__ import annotations

from clarion.resolver.endpoint import Endpoint
from clarion.resolver.registry import register, unregister
from clarion.resolver.resolver import Resolution, Resolver, ResolverHelper, ResolverTimer
from clarion.resolver.target import (
    Address,
    HostPort,
    ProxiedAddress,
    Target,
    UnixAddress,
    VsockAddress,
)

__all__ = [
    "Address",
    "Endpoint",
    "HostPort",
    "ProxiedAddress",
    "Resolution",
    "Resolver",
    "ResolverHelper",
    "ResolverTimer",
    "Target",
    "UnixAddress",
    "VsockAddress",
    "register",
    "unregister",
]
