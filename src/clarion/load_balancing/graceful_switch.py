"""From one policy to another, without a gap: what a channel, and each policy that wraps others, has below it.

When the service config names another policy, the one there is goes on until the new one has something better to say
than CONNECTING, or until the old one is not READY itself.
"""

from __future__ import annotations

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.child import Child
from clarion.load_balancing.policy import Helper, Policy, Update
from clarion.load_balancing.registry import PolicyConfig

__all__ = ["GracefulSwitch"]

_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY


class GracefulSwitch(Policy):
    """A policy whose config is a `PolicyConfig`: which policy to be, and that policy's config.

    It is in no registry: service configs name what it is to be, not it.
    """

    name = "graceful_switch"

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._current: _Side | None = None
        self._next: _Side | None = None
        # Those that are heard no more, and are to be closed.
        self._leaving: list[_Side] = []

    @property
    def policy(self) -> Policy | None:
        """The policy that calls go by, or None before the first update."""
        return None if self._current is None else self._current.policy

    def update(self, update: Update) -> None:
        """See `Policy`."""
        config: PolicyConfig = update.config
        side = self._side(config.policy)
        side.policy.update(update._replace(config=config.config))

    def _side(self, kind: type[Policy]) -> _Side:
        """The one for policies of `kind`: one of those there are, or a new one."""
        current, following = self._current, self._next
        if current is None:
            self._current = _Side(self, kind)
            return self._current
        if following is not None:
            if following.kind is kind:
                return following
            self._next = None
            self._leave(following)
        if current.kind is kind:
            return current
        self._next = _Side(self, kind)
        return self._next

    def changed(self, side: Child[Policy]) -> None:
        """One of the two published something."""
        current, following = self._current, self._next
        assert current is not None
        if following is not None:
            if following.state is _CONNECTING and current.state is _READY:
                if side is following:
                    return
            else:
                self._current, self._next = following, None
                self._leave(current)
                side = following
        self.helper.update_state(side.state, side.picker)

    def is_newest(self, side: Child[Policy]) -> bool:
        """Whether `side` is what the last config asked for."""
        return side is (self._next or self._current)

    def _leave(self, side: _Side) -> None:
        # Not at once: it may be what is speaking.
        side.closed = True
        self._leaving.append(side)
        self.helper.post(self._close_leaving)

    def _close_leaving(self) -> None:
        leaving, self._leaving = self._leaving, []
        for side in leaving:
            side.close()

    def exit_idle(self) -> None:
        """See `Policy`."""
        newest = self._next or self._current
        if newest is not None:
            newest.exit_idle()

    def close(self) -> None:
        """See `Policy`."""
        self._close_leaving()
        for side in (self._next, self._current):
            if side is not None:
                side.close()
        self._current = self._next = None


class _Side(Child[Policy]):
    def __init__(self, switch: GracefulSwitch, kind: type[Policy]) -> None:
        self.kind = kind
        self._switch = switch
        super().__init__(switch.helper, kind, switch.changed)

    def request_resolution(self) -> None:
        # What the old one's addresses are worth is no question any more.
        if self._switch.is_newest(self):
            super().request_resolution()
