"""What policies with many servers have in common: a pick_first for each endpoint (gRFC A61).

To write such a policy, subclass `EndpointSharding` and say in `make_picker` how calls go to the endpoints that are
READY. All else is done here:

- Endpoints are told apart by their addresses, whatever the order of these. One that stays over an update keeps its
  connection.
- Endpoints connect at once, and again when the connection is lost (`eager`).
- The policy is READY if an endpoint is; CONNECTING if one is, or is about to be; else TRANSIENT_FAILURE. From there it
  goes to READY only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.child import ForwardingHelper
from clarion.load_balancing.pick import (
    Fail,
    FixedPicker,
    Pick,
    Picked,
    Picker,
    PickInfo,
    QueuePicker,
)
from clarion.load_balancing.pick_first import PickFirst, PickFirstConfig
from clarion.load_balancing.policy import Endpoint, Helper, Policy, Subchannel, Update
from clarion.load_balancing.unavailable import unavailable
from clarion.resolver.target import Address

__all__ = ["EndpointChild", "EndpointSharding"]

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE

_CHILD_CONFIG = PickFirstConfig(health=True)


class EndpointChild(ForwardingHelper):
    """One endpoint, with the pick_first that is its own; subclass it to keep more with it.

    Attributes:
        endpoint: as the last update had it.
        state: its connectivity; IDLE before `connect` was called.
        subchannel: while READY, where its calls go; else None.
        picked: while READY, the answer that sends a call there; else None. It is made once for all calls.
        closed: there is no such endpoint any more.
    """

    def __init__(self, parent: EndpointSharding, endpoint: Endpoint) -> None:
        super().__init__(parent.helper)
        self.endpoint = endpoint
        self.state = _IDLE
        self.subchannel: Subchannel | None = None
        self.picked: Picked | None = None
        self.closed = False
        self._parent = parent
        self._policy: PickFirst | None = None

    @property
    def failures(self) -> str:
        """In TRANSIENT_FAILURE, each address and what it answered."""
        return "" if self._policy is None else self._policy.failures

    def connect(self) -> None:
        """Connect if IDLE; not from within `EndpointSharding.child_changed`, but by `post`."""
        if self.closed:
            return
        if self._policy is None:
            self._policy = PickFirst(self)
            self._policy.update(Update((self.endpoint,), _CHILD_CONFIG))
        else:
            self._policy.exit_idle()

    def replace(self, endpoint: Endpoint) -> None:
        """The endpoint's attributes changed, or the order of its addresses."""
        self.endpoint = endpoint
        if self._policy is not None:
            self._policy.update(Update((endpoint,), _CHILD_CONFIG))

    def close(self) -> None:
        """The endpoint is gone."""
        self.closed = True
        if self._policy is not None:
            self._policy.close()

    def make_picked(self, subchannel: Subchannel) -> Picked:
        """Make the answer that sends a call to `subchannel`, which is READY."""
        return Picked(subchannel)

    def create_subchannel(self, address: Address, attributes: Mapping[str, Any]) -> Subchannel:
        """See `Helper`."""
        return self._parent.create_subchannel(self, address, attributes)

    def update_state(self, state: ChannelConnectivity, picker: Picker) -> None:
        """See `Helper`."""
        before, self.state = self.state, state
        self.subchannel = picker.only
        self.picked = None if picker.only is None else self.make_picked(picker.only)
        self._parent.count(self, before)
        self._parent.child_changed(self, before)


class EndpointSharding(Policy):
    """A policy with a pick_first for each endpoint.

    Attributes:
        eager: endpoints connect by themselves. Else they do when `EndpointChild.connect` is called.
        config: what the last update brought.
        children: one for each endpoint, in the order of the last update.
        state: what was published last, or None.
    """

    eager: ClassVar[bool] = True

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self.config: Any = None
        self.children: list[EndpointChild] = []
        self.state: ChannelConnectivity | None = None
        self._by_addresses: dict[frozenset[Address], EndpointChild] = {}
        self._counts = dict.fromkeys(ChannelConnectivity, 0)
        # In the order in which they became so. Kept up to date, because there may be thousands.
        self._ready: dict[EndpointChild, None] = {}
        self._updating = False

    # What subclasses say

    @abstractmethod
    def make_picker(self, ready: Sequence[EndpointChild]) -> Picker:
        """Make a picker that sends calls to some of the endpoints, all of which are READY; there is at least one."""

    def make_child(self, endpoint: Endpoint) -> EndpointChild:
        """Make what stands for a new endpoint."""
        return EndpointChild(self, endpoint)

    def create_subchannel(
        self, child: EndpointChild, address: Address, attributes: Mapping[str, Any]
    ) -> Subchannel:
        """Make a subchannel for one of the child's addresses."""
        return self.helper.create_subchannel(address, attributes)

    def publish(self) -> None:
        """Say what the endpoints' states come to; after an update, and when one of them changed."""
        if self._ready:
            self.show(_READY, self.make_picker(list(self._ready)))
        elif self._counts[_TRANSIENT_FAILURE] == len(self.children):
            self.show(_TRANSIENT_FAILURE, self.failing_picker())
        elif self.state is _READY or self.state is None:
            self.show(_CONNECTING, QueuePicker())

    def child_changed(self, child: EndpointChild, before: ChannelConnectivity) -> None:
        """An endpoint's state is not `before` any more, or is the same for another reason."""
        if child.state is _IDLE and self.eager:
            self.helper.post(child.connect)
        if self._updating:
            return
        # While others are READY, one that was not and is not makes no difference.
        if _READY in (before, child.state) or self.state is not _READY:
            self.publish()

    # What subclasses use

    def show(self, state: ChannelConnectivity, picker: Picker) -> None:
        """Publish."""
        self.state = state
        self.helper.update_state(state, picker)

    def count(self, child: EndpointChild, before: ChannelConnectivity) -> None:
        """An endpoint's state is not `before` any more."""
        self._counts[before] -= 1
        self._counts[child.state] += 1
        if child.state is _READY:
            self._ready[child] = None
        else:
            self._ready.pop(child, None)

    def counted(self, state: ChannelConnectivity) -> int:
        """How many endpoints are in `state`."""
        return self._counts[state]

    def failing_picker(self) -> Picker:
        """A picker that tells calls of each address what it answered."""
        return _FailingPicker(self.helper, self.children)

    # Policy

    def update(self, update: Update) -> None:
        """See `Policy`."""
        self.config = update.config
        self._updating = True
        try:
            self._replace_children(update.endpoints)
        finally:
            self._updating = False
        if self.children:
            self.publish()
        else:
            why = update.why_empty or "the name has no addresses"
            self.show(_TRANSIENT_FAILURE, FixedPicker(unavailable(self.helper, why)))
            self.helper.request_resolution()

    def _replace_children(self, endpoints: Sequence[Endpoint]) -> None:
        before, self._by_addresses = self._by_addresses, {}
        for endpoint in endpoints:
            key = frozenset(endpoint.addresses)
            if key in self._by_addresses:
                continue
            child = before.pop(key, None)
            if child is None:
                child = self.make_child(endpoint)
                self._counts[child.state] += 1
            else:
                child.replace(endpoint)
            self._by_addresses[key] = child
        self.children = list(self._by_addresses.values())
        for child in before.values():
            self._counts[child.state] -= 1
            self._ready.pop(child, None)
            child.close()
        if self.eager:
            self.exit_idle()

    def exit_idle(self) -> None:
        """See `Policy`."""
        for child in self.children:
            if child.state is _IDLE:
                child.connect()

    def close(self) -> None:
        """See `Policy`."""
        for child in self.children:
            child.close()
        self.children = []


class _FailingPicker(Picker):
    """The text is made for the first call that fails: there may be none, and a thousand endpoints make it long."""

    def __init__(self, helper: Helper, children: Sequence[EndpointChild]) -> None:
        self._helper = helper
        self._children = children
        self._answer: Fail | None = None

    def pick(self, info: PickInfo) -> Pick:
        """Fail."""
        if self._answer is None:
            failures = filter(None, (child.failures for child in self._children))
            self._answer = unavailable(self._helper, "; ".join(failures))
        return self._answer
