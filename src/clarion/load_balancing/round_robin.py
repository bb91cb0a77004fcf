"""round_robin: each call goes to the next server that is READY, beginning anywhere.

https://github.com/grpc/grpc/blob/master/doc/load-balancing.md#round_robin
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from clarion.load_balancing.endpoint_sharding import EndpointChild, EndpointSharding
from clarion.load_balancing.pick import FixedPicker, Pick, Picked, Picker, PickInfo

__all__ = ["POLICY", "RoundRobin"]

_PICKED = operator.attrgetter("picked")


class RoundRobin(EndpointSharding):
    """See the module."""

    name = "round_robin"

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> None:
        """See `Policy`; there is nothing to say (grpc.service_config.RoundRobinConfig)."""

    def make_picker(self, ready: Sequence[EndpointChild]) -> Picker:
        """See `EndpointSharding`."""
        answers: list[Picked] = list(map(_PICKED, ready))
        if len(answers) == 1:
            return FixedPicker(answers[0])
        # Not all clients that learn of the same servers at the same time shall begin with the same one.
        start = int(self.helper.random() * len(answers))
        return _Turns(answers[start:] + answers[:start])


class _Turns(Picker):
    """All take turns. The answers are there already, so that a pick is one step of an iterator made in C."""

    def __init__(self, answers: Sequence[Picked]) -> None:
        self.turn: Callable[[], Picked] = itertools.cycle(answers).__next__

    def pick(self, info: PickInfo) -> Pick:
        """Go to the next one."""
        return self.turn()


POLICY: Final = RoundRobin
