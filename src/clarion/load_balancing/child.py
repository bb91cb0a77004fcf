"""What a policy needs that wraps others: being their helper, and knowing what they last said.

Rules for it:

- A child may publish while its parent calls it: the parent then waits with its own conclusions until it is done.
- A child is never called from within a call of its own. What a parent wants of a child that just published goes by
  `Helper.post`; so does closing it.
- A child is CONNECTING until it says otherwise (gRFC A61).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.metrics import NO_LABELS, PolicyMetric
from clarion.load_balancing.pick import Picker, QueuePicker
from clarion.load_balancing.policy import Helper, Policy, Subchannel, Timer
from clarion.resolver.target import Address

__all__ = ["Child", "ForwardingHelper"]

_Kind = TypeVar("_Kind", bound=Policy)


class ForwardingHelper:
    """A `Helper` that hands everything on to another one; override what should go elsewhere.

    Args:
        helper: whom to hand it to.
    """

    def __init__(self, helper: Helper) -> None:
        self.helper = helper

    @property
    def target(self) -> str:
        """See `Helper`."""
        return self.helper.target

    def now(self) -> float:
        """See `Helper`."""
        return self.helper.now()

    def random(self) -> float:
        """See `Helper`."""
        return self.helper.random()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """See `Helper`."""
        return self.helper.call_later(delay, callback)

    def post(self, callback: Callable[[], None]) -> None:
        """See `Helper`."""
        self.helper.post(callback)

    def create_subchannel(self, address: Address, attributes: Mapping[str, Any]) -> Subchannel:
        """See `Helper`."""
        return self.helper.create_subchannel(address, attributes)

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        """See `Helper`."""
        self.helper.update_state(state, picker)

    def request_resolution(self) -> None:
        """See `Helper`."""
        self.helper.request_resolution()

    def record(
        self, metric: PolicyMetric, value: float = 1, labels: Mapping[str, str] = NO_LABELS
    ) -> None:
        """See `Helper`."""
        self.helper.record(metric, value, labels)


class Child(ForwardingHelper, Generic[_Kind]):
    """A child policy, its helper, and what it last said.

    Args:
        helper: the parent's.
        kind: the child's class.
        changed: called with this object when the child published something.

    Attributes:
        policy: the child.
        state, picker: what it published.
        closed: it is heard no more.
    """

    def __init__(
        self, helper: Helper, kind: type[_Kind], changed: Callable[[Child[_Kind]], None]
    ) -> None:
        super().__init__(helper)
        self.state = ChannelConnectivity.CONNECTING
        self.picker: Picker = QueuePicker()
        self.closed = False
        self._changed = changed
        self.policy = kind(self)

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        """See `Helper`."""
        if not self.closed:
            self.state = state
            self.picker = picker
            self._changed(self)

    def request_resolution(self) -> None:
        """See `Helper`."""
        if not self.closed:
            super().request_resolution()

    def exit_idle(self) -> None:
        """Tell the child, unless it is closed; for `post`."""
        if not self.closed:
            self.policy.exit_idle()

    def close(self) -> None:
        """Close the child."""
        self.closed = True
        self.policy.close()
