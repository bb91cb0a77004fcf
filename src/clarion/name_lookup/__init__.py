"""The I/O of resolvers: what blocks while it asks others about names.

Nothing here is imported before a channel needs it. Resolvers, which are state machines without I/O, load a module of
this package by name and run it on threads of their own (`ResolverHelper.apart`).
"""

from __future__ import annotations

__all__: list[str] = []
