"""ring_hash_experimental: the same key leads to the same server, as long as that is there (gRFC A42, A61, A76).

    {"minRingSize": 1024, "maxRingSize": 4096, "requestHashHeader": "session-id"}

Each server has many places on a ring, by the hashes of its first address, or of its attribute `hash_key`; those of
greater `weight` have more of them. A call goes to the first place at or after the hash of its header. Servers that come
and go change where the calls go that are between them and their neighbours, and no others.

The ring is made as the other implementations of gRPC, and Envoy, make it. So all clients agree on who has which key.

- Servers are connected when there is a call for them. While the policy as a whole fails, or is about to, it tries one
  after another without a call.
- A call whose server cannot be reached goes to the next one.
- Calls without the header, and all calls where no header is named, go to a server taken by chance; preferably to one
  that is connected. (Without xDS nobody else could say where they go; gRFC A76 has calls fail where no header is named.)
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from clarion.connectivity import ChannelConnectivity
from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.config_reader import ConfigReader, count, shown, text
from clarion.load_balancing.endpoint_sharding import EndpointChild, EndpointSharding
from clarion.load_balancing.pick import QUEUE, Pick, Picked, Picker, PickInfo
from clarion.load_balancing.policy import Endpoint, Helper, Update
from clarion.load_balancing.unavailable import unavailable
from clarion.load_balancing.xxh64 import xxh64
from clarion.resolver.target import Address

__all__ = ["POLICY", "RING_SIZE_CAP", "Ring", "RingHash", "RingHashConfig"]

_IDLE = ChannelConnectivity.IDLE
_CONNECTING = ChannelConnectivity.CONNECTING
_READY = ChannelConnectivity.READY
_TRANSIENT_FAILURE = ChannelConnectivity.TRANSIENT_FAILURE

RING_SIZE_CAP: Final = 4096
"""No ring has more places than that (gRFC A42), whatever a config asks for."""

_MOST_PLACES = 8_388_608


class RingHashConfig(NamedTuple):
    """What a service config says of it.

    Attributes:
        least, most: `minRingSize`, `maxRingSize`: how many places the ring has, as far as the weights allow.
        header: `requestHashHeader`: whose value is a call's key; None: calls have none.
    """

    least: int = 1024
    most: int = RING_SIZE_CAP
    header: bytes | None = None


class Ring:
    """Which server has which place.

    Args:
        servers: key and weight of each.
        least, most: see `RingHashConfig`.

    Attributes:
        places: the hashes, sorted.
        owners: for each, the index of its server.
    """

    def __init__(self, servers: Sequence[tuple[str, float]], least: int, most: int) -> None:
        total = math.fsum(weight for _, weight in servers)
        shares = [weight / total for _, weight in servers]
        smallest = min(shares)
        # So that the server of the smallest weight has a whole number of places.
        scale = min(math.ceil(smallest * least) / smallest, most)
        entries: list[tuple[int, int]] = []
        target = 0.0
        # In the order of their keys: rounding then comes out the same, whatever the resolver's order.
        for index in sorted(range(len(servers)), key=lambda index: servers[index][0]):
            target += scale * shares[index]
            key = servers[index][0].encode("utf-8", "surrogateescape") + b"_"
            number = 0
            while len(entries) < target:
                entries.append((xxh64(key + str(number).encode()), index))
                number += 1
        entries.sort()
        self.places = [place for place, _ in entries]
        self.owners = [owner for _, owner in entries]

    def find(self, place: int) -> int:
        """The index of the first entry at or after `place`."""
        found = bisect.bisect_left(self.places, place)
        return found if found < len(self.places) else 0


class _View(NamedTuple):
    """What pickers know of an endpoint."""

    state: ChannelConnectivity
    picked: Picked | None
    child: EndpointChild


class RingHash(EndpointSharding):
    """See the module."""

    name = "ring_hash_experimental"
    eager = False

    def __init__(self, helper: Helper) -> None:
        super().__init__(helper)
        self._ring = Ring([("", 1.0)], 1, 1)
        self._made_of: object = None
        self._stale = False
        self._indexes: dict[EndpointChild, int] = {}
        # Pickers have it: it is replaced, not changed.
        self._views: list[_View] = []

    @classmethod
    def parse_config(cls, config: Mapping[str, Any]) -> RingHashConfig:
        """See `Policy`."""
        reader = ConfigReader(config)
        defaults = RingHashConfig()
        least = reader.get("minRingSize", _size)
        most = reader.get("maxRingSize", _size)
        least = defaults.least if least is None else least
        most = defaults.most if most is None else most
        if least > most:
            raise ConfigError("maxRingSize", f"is {most}, less than minRingSize, {least}")
        return RingHashConfig(
            min(least, RING_SIZE_CAP),
            min(most, RING_SIZE_CAP),
            reader.get("requestHashHeader", _header),
        )

    def update(self, update: Update) -> None:
        """See `Policy`."""
        self._stale = True
        super().update(update._replace(endpoints=_merged(update.endpoints)))

    def publish(self) -> None:
        """See `EndpointSharding`."""
        if self._stale:
            self._stale = False
            self._make_ring()
        state = self._aggregate()
        self.show(state, self.make_picker(()))
        if state in (_CONNECTING, _TRANSIENT_FAILURE) and not self.counted(_CONNECTING):
            # There need not be a call that does it (gRFC A61).
            self.exit_idle()

    def make_picker(self, ready: Sequence[EndpointChild]) -> Picker:
        """See `EndpointSharding`; what is not READY matters as well."""
        return _RingPicker(
            self.helper,
            self._ring,
            self._views,
            self.config.header,
            connecting=self.counted(_CONNECTING) > 0,
            failed=self.counted(_TRANSIENT_FAILURE) == len(self.children),
        )

    def _aggregate(self) -> ChannelConnectivity:
        """gRFC A42, "Aggregated Connectivity State"."""
        failed = self.counted(_TRANSIENT_FAILURE)
        if self.counted(_READY):
            return _READY
        if failed >= 2:
            return _TRANSIENT_FAILURE
        if self.counted(_CONNECTING) or (failed and len(self.children) > 1):
            return _CONNECTING
        return _IDLE if self.counted(_IDLE) else _TRANSIENT_FAILURE

    def child_changed(self, child: EndpointChild, before: ChannelConnectivity) -> None:
        """See `EndpointSharding`."""
        if self._updating:
            return
        self._views = self._views.copy()
        self._views[self._indexes[child]] = _View(child.state, child.picked, child)
        self.publish()

    def exit_idle(self) -> None:
        """See `Policy`. It connects an endpoint if none is connecting. A call has asked for its own before: wait for that."""
        self.helper.post(self._connect_one)

    def _connect_one(self) -> None:
        if self.counted(_CONNECTING) or self.counted(_READY):
            return
        idle = [child for child in self.children if child.state is _IDLE]
        if idle:
            # Not all clients the same one.
            idle[int(self.helper.random() * len(idle))].connect()

    def _make_ring(self) -> None:
        servers = [_key_and_weight(child.endpoint) for child in self.children]
        made_of = (servers, self.config.least, self.config.most)
        if made_of != self._made_of:
            self._made_of = made_of
            self._ring = Ring(servers, self.config.least, self.config.most)
        self._indexes = {child: index for index, child in enumerate(self.children)}
        self._views = [_View(child.state, child.picked, child) for child in self.children]


class _RingPicker(Picker):
    def __init__(
        self,
        helper: Helper,
        ring: Ring,
        views: Sequence[_View],
        header: bytes | None,
        *,
        connecting: bool,
        failed: bool,
    ) -> None:
        self._helper = helper
        self._ring = ring
        self._views = views
        self._header = header
        self._connecting = connecting
        self._failed = failed

    def pick(self, info: PickInfo) -> Pick:
        """Go to the server whose place comes first after the call's."""
        key = info.header(self._header) if self._header is not None else None
        ring = self._ring
        first = ring.find(xxh64(key) if key else int(self._helper.random() * 2**64))
        if not self._failed:
            answer = self._walk(first) if key else self._walk_by_chance(first)
            if answer is not None:
                return answer
        return unavailable(self._helper, self._views[ring.owners[first]].child.failures)

    def _walk(self, first: int) -> Pick | None:
        """gRFC A61, "Ring Hash"; None if all have failed."""
        owners = self._ring.owners
        for at in range(first, first + len(owners)):
            view = self._views[owners[at % len(owners)]]
            if view.picked is not None:
                return view.picked
            if view.state is not _TRANSIENT_FAILURE:
                if view.state is _IDLE:
                    self._helper.post(view.child.connect)
                return QUEUE
        return None

    def _walk_by_chance(self, first: int) -> Pick | None:
        """gRFC A76: the first that is READY; on the way there one is told to connect, if none does yet."""
        owners = self._ring.owners
        asked = self._connecting
        for at in range(first, first + len(owners)):
            view = self._views[owners[at % len(owners)]]
            if view.picked is not None:
                return view.picked
            if not asked and view.state is _IDLE:
                asked = True
                self._helper.post(view.child.connect)
        return QUEUE if asked else None


def _merged(endpoints: Sequence[Endpoint]) -> list[Endpoint]:
    """Each endpoint once; one that is there several times has the sum of the weights (gRFC A42)."""
    merged: dict[frozenset[Address], Endpoint] = {}
    for endpoint in endpoints:
        key = frozenset(endpoint.addresses)
        before = merged.get(key)
        if before is not None:
            weight = _weight(before) + _weight(endpoint)
            endpoint = Endpoint(before.addresses, {**before.attributes, "weight": weight})
        merged[key] = endpoint
    return list(merged.values())


def _weight(endpoint: Endpoint) -> float:
    weight: float = endpoint.attributes.get("weight", 1)
    return weight


def _key_and_weight(endpoint: Endpoint) -> tuple[str, float]:
    key = endpoint.attributes.get("hash_key") or str(endpoint.addresses[0])
    return key, _weight(endpoint)


def _size(value: Any, path: str) -> int:
    size = count(value, path)
    if not 1 <= size <= _MOST_PLACES:
        raise ConfigError(path, f"must be from 1 to {_MOST_PLACES}, not {shown(value)}")
    return size


def _header(value: Any, path: str) -> bytes | None:
    name = text(value, path)
    if name and (name.endswith("-bin") or not re.fullmatch("[0-9a-z_.-]+", name)):
        raise ConfigError(
            path, f"must name a header in lower case that does not end in -bin, not {shown(value)}"
        )
    return name.encode() or None


POLICY: Final = RingHash
