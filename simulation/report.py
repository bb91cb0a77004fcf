"""docs/simulation.md: what the scenarios came to, in words, figures and charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from simulation.plots import chart
from simulation.scenarios import POLICIES, balance, eject, herd, rebalance, remap, storm

__all__ = ["Report"]

_BALANCE = (
    "policy",
    "servers",
    "channels",
    "calls",
    "most calls by mean",
    "load of the busiest 1 %",
    "median",
    "99 %",
)
_WRAPPERS = ("weighted_target", "priority", "outlier_detection")

_HEAD = """# Simulations

`make simulate` writes this page and its charts. Channels, subchannels, policies, pickers and calls in it are Clarion's
own; the clock, the network and the servers are simulated (`simulation/`), so thousands of servers and ten thousand clients
take seconds, nothing depends on the machine, and the same seed gives the same figures. The tests run small versions of
all of it.

A simulated server has one queue and exponentially distributed service times; calls come at random times.
"""


class Report:
    """The page.

    Args:
        scale: of the numbers of servers and clients.
        say: hears of progress.

    Attributes:
        charts: SVG by name, once there is the text.
    """

    def __init__(self, scale: float, say: Callable[[str], None]) -> None:
        self.charts: dict[str, str] = {}
        self._scale = scale
        self._say = say

    def text(self) -> str:
        """Run everything."""
        parts = [_HEAD]
        for section in (
            self._balance,
            self._rebalancing,
            self._remapping,
            self._ejection,
            self._storm,
            self._herd,
        ):
            parts.append(section())
            self._say(section.__name__[1:])
        return "\n".join(parts)

    def _size(self, number: int) -> int:
        return max(int(number * self._scale), 50)

    def _balance(self) -> str:
        backends = self._size(2000)
        rows = []
        for policy in POLICIES:
            if policy == "pick_first":
                continue
            # The last three only hand on what round_robin says; subsets are for many clients.
            few = policy in _WRAPPERS or policy == "random_subsetting"
            servers = backends // 4 if few else backends
            channels = 100 if policy == "random_subsetting" else 2
            found = balance(policy, backends=servers, channels=channels)
            self._say(f"balance: {policy}")
            rows.append(
                [
                    f"`{policy}`",
                    f"{servers:,}",
                    f"{channels}",
                    f"{sum(found.calls):,}",
                    f"{found.ratio:.2f}",
                    f"{found.busiest:.2f}",
                    f"{found.median:.2f} s",
                    f"{found.tail:.2f} s",
                ]
            )
        return f"""## Balance

Every fifth server is three times as slow (0.6 s a call against 0.2 s), and there are calls for 60 % of what all servers can
do together. Measured for 6 s after 6 s of warming up.

{_table(_BALANCE, rows)}

A load above 1 is more than a server can do: its queue grows as long as that goes on.

- `round_robin` is even to a few calls (each channel goes round on its own), so the slow servers get more than they
  can do. `weighted_target`, `priority` and `outlier_detection` with `round_robin` within share out calls as that does.
- `weighted_round_robin` hears from the servers what they can do, and `least_request` sees which of two owes fewer answers.
- `ring_hash` is as even as the ring, of 4,096 places at most, is divided. `random_subsetting` (20 servers each) is as even
  as the subsets of so many channels are. `pick_first` sends each channel's calls to one server, and has no row.
"""

    def _rebalancing(self) -> str:
        rows = []
        series: dict[str, Sequence[float]] = {}
        times: Sequence[float] = ()
        for policy in ("round_robin", "least_request", "weighted_round_robin", "ring_hash"):
            found = rebalance(policy, backends=self._size(500), rate=8.0 * self._size(500))
            times = found.times
            series[policy] = found.share
            # The calls that were on their way; after the second in which that was, none.
            lost = max(found.failed)
            after = max(found.failed[10:18])
            settled = "never" if found.settled is None else f"{found.settled:g} s"
            rows.append([f"`{policy}`", f"{lost:.1%}", f"{after:.1%}", settled])
        self.charts["rebalancing"] = chart(
            "A fifth of the servers dies after 4 s and is back after 9 s",
            "seconds",
            "their calls, by those of the others",
            times,
            series,
            {4.0: "gone", 9.0: "back"},
        )
        return f"""## When servers die and come back

{
            self._size(500)
        } servers, a fifth of which loses its connections and refuses new ones for five seconds.

{
            _table(
                [
                    "policy",
                    "calls that failed in the worst half second",
                    "from one second later on",
                    "90 % of their share again after",
                ],
                rows,
            )
        }

Only calls that were under way fail. Coming back takes until the next attempt to connect, which the backoff has put off by
then for up to 4 s (1 s, 1.6 s, 2.56 s ...).

![share of the calls](simulation/rebalancing.svg)
"""

    def _remapping(self) -> str:
        moved = remap(backends=self._size(1000), keys=4 * self._size(1000))
        return f"""## ring_hash: which keys move

Of {4 * self._size(1000):,} keys on {self._size(1000):,} servers, ten of which are taken out of the list, {moved:.2%} of those
move whose server is still there.
"""

    def _ejection(self) -> str:
        found = eject(backends=self._size(500), rate=8.0 * self._size(500))
        self.charts["ejection"] = chart(
            "Every twentieth server fails 9 calls of 10 from 3 s on",
            "seconds",
            "share of calls that fail",
            found.times,
            {"round_robin": found.without, "outlier_detection": found.detected},
            {3.0: "sick"},
        )
        return f"""## Outlier detection

{self._size(500)} servers; from the third second on, every twentieth fails nine calls of ten. `outlier_detection`
(`interval` 2 s, `failurePercentageEjection` at 50 %) brings the share of failed calls from
{max(found.detected):.1%} to {found.detected[-1]:.1%}; without it it stays at {found.without[-1]:.1%}.

![share of failed calls](simulation/ejection.svg)
"""

    def _storm(self) -> str:
        clients = self._size(10_000)
        runs = {
            name: storm(retries=retries, throttling=throttling, clients=clients)
            for name, retries, throttling in (
                ("no retries", False, False),
                ("retries", True, False),
                ("retries, throttled", True, True),
            )
        }
        times = runs["retries"].times
        marks = {5.0: "capacity 30 %", 15.0: "capacity 100 %"}
        self.charts["storm-attempts"] = chart(
            "Attempts for each call",
            "seconds",
            "attempts by calls",
            times,
            {name: found.attempts for name, found in runs.items()},
            marks,
        )
        self.charts["storm-good"] = chart(
            "Calls that go well",
            "seconds",
            "share",
            times,
            {name: found.good for name, found in runs.items()},
            marks,
        )
        rows = [
            [
                name,
                f"{found.amplification:.2f}",
                f"{max(found.attempts):.2f}",
                f"{found.attempts[-1]:.2f}",
                "not within 15 s" if found.recovered is None else f"{found.recovered:g} s",
            ]
            for name, found in runs.items()
        ]
        head = [
            "",
            "attempts for each call while capacity is short",
            "at most",
            "15 s after",
            "95 % go well again after",
        ]
        return f"""## Retry storms

{clients:,} clients, each with a channel of its own and a call every four seconds. The service has a third more capacity
than that. From 5 s to 15 s it has 30 % of it; calls that waited for more than half a second fail with UNAVAILABLE, and have
cost the service all the same. `retryPolicy`: four attempts, 0.2 s to 1 s apart. `retryThrottling`: 10 tokens, ratio 0.1.

{_table(head, rows)}

Without throttling the service never gets out of it: each call that fails comes four times, which is three times as much as
it can do with full capacity. With throttling, clients stop to retry after five failures, and the service recovers
nearly as soon as if nobody had retried. So a `retryPolicy` ought to come with `retryThrottling`.

![attempts by calls](simulation/storm-attempts.svg)

![share of calls that go well](simulation/storm-good.svg)
"""

    def _herd(self) -> str:
        clients = self._size(10_000)
        runs = {jitter: herd(jitter=jitter, clients=clients) for jitter in (False, True)}
        self.charts["herd"] = chart(
            "Attempts to connect after a server went away for 15 s",
            "seconds",
            "in a tenth of a second",
            runs[True].times[5:],
            {
                "without jitter": runs[False].attempts[5:],
                "with jitter": runs[True].attempts[5:],
            },
            {15.0: "back"},
        )
        late = {jitter: max(found.attempts[30:150]) for jitter, found in runs.items()}
        return f"""## Thundering herds

{clients:,} round_robin clients lose their server at the same moment, and it is away for 15 s. They try at once, and then as
the [backoff](https://github.com/grpc/grpc/blob/master/doc/connection-backoff.md) says. Without its jitter of 20 %, all of
them would come in the same tenth of a second each time ({runs[False].peak:,} of them). With it, {runs[True].peak:,} come in the
worst one, about a second after, and {late[True]:,} at most from the third second on. 99 % of the clients are connected
{runs[True].back:.1f} s after the server's return.

![attempts to connect](simulation/herd.svg)
"""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
