"""What a resolver is, what it is given, and what it finds.

A resolver turns what follows the scheme of a target into endpoints, and tells its channel whenever they change. Rules:

- What it is told it hears from its channel, one thing after another; what it finds it may say from any thread.
- None of its methods may block: a look-up that does runs by `ResolverHelper.apart`, on a thread of its own.
- It looks again when asked to (`resolve_now`), not sooner than its minimum interval allows, and by itself if it can
  know that something changed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from clarion.resolver.backoff import Backoff
from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import Address, HostPort, Target

__all__ = ["Resolution", "Resolver", "ResolverHelper", "ResolverTimer"]


class Resolution(NamedTuple):
    """What a resolver found.

    Attributes:
        endpoints: the servers there are.
        error: where the look-up failed, why, in words that follow "the target could not be resolved"; the channel
            goes on with what it knew. Else "".
        service_config: a service config (gRFC A2), as JSON text or as what that text means; None if the name has none.
        config_error: what is wrong with the service config that the name has, if the resolver could not read it.
        attributes: what a resolver and a policy agree on.
    """

    endpoints: tuple[Endpoint, ...] = ()
    error: str = ""
    service_config: str | Mapping[str, Any] | None = None
    config_error: str = ""
    attributes: Mapping[str, Any] | None = None


class ResolverTimer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """It will not."""


class ResolverHelper(Protocol):
    """What a resolver asks of its channel."""

    def update(self, resolution: Resolution) -> None:
        """Say what was found; from any thread."""

    def now(self) -> float:
        """A monotonic clock in seconds."""

    def random(self) -> float:
        """A number from 0 up to 1."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> ResolverTimer:
        """Call `callback` after `delay` seconds; not from another thread than the resolver's methods are called on."""

    def post(self, callback: Callable[[], None]) -> None:
        """Call `callback` soon, as the channel calls the resolver's methods; from any thread."""

    def apart(self, work: Callable[[], None]) -> None:
        """Run `work` on a thread on which it may block, and raise, without stopping anything else."""

    def look_up(self, name: HostPort, done: Callable[[list[Address] | None, str], None]) -> None:
        """Ask the system for the addresses of a host; `done(addresses, "")` or `done(None, why not)`."""

    def option(self, name: str) -> Any:
        """The channel argument `name`, or None."""

    def backoff(self) -> Backoff:
        """How long to wait between look-ups that fail, as the channel's arguments have it."""


class Resolver(ABC):
    """A resolver; subclass it and `register` the subclass to offer a scheme of your own.

    Args:
        target: what to resolve.
        helper: see `ResolverHelper`.

    Attributes:
        scheme: what targets begin with, before the first colon.
    """

    scheme: ClassVar[str]

    def __init__(self, target: Target, helper: ResolverHelper) -> None:
        self.target = target
        self.helper = helper

    @classmethod
    def authority(cls, rest: str) -> str:
        """What calls say in `:authority`, and servers prove with TLS to be, unless options say otherwise.

        Args:
            rest: what follows the scheme and its colon; `//authority/path`, or any text.

        Raises:
            ValueError: it is not of the scheme's form; says what is wrong.
        """
        return rest.rpartition("/")[2] or rest

    @abstractmethod
    def start(self) -> None:
        """Look up the target; what is found goes to `helper.update`."""

    def resolve_now(self) -> None:
        """Addresses seem out of date: look again, when the minimum interval is over."""
        return

    @abstractmethod
    def close(self) -> None:
        """Say nothing more, and free what is held."""
