"""`Adaptive`: learns how long a line may be silent before the network forgets it, without any I/O.

Between a phone and the server stand NATs and proxies that drop a line which was silent for some
time T, and tell nobody. Who pings more often than needed pays with battery; who pings less often is
unreachable and does not know. So the client drives the heartbeat (protocol.md section 8), and it
learns:

- Anything heard proves the silence before it. After `QUIET_TIMES` intervals that were quiet and
  answered, the next interval is `GROWTH` times as long, up to `Bounds.highest`.
- A line that dies after a silence, while the network lets a new one through at once, tells that
  this silence is too long. The interval falls below the last good one, with a margin, and the gap
  between good and bad is halved until it is narrow. To learn a network costs at most three lines.
- A known-bad silence is not tried again before `PATIENCE` quiet intervals were answered.
- A line that dies while the network is down proves nothing: what was learnt stays.

All times are seconds on any one clock; the caller says what time it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

GROWTH: Final = 1.5
QUIET_TIMES: Final = 3
# A silence counts as a quiet interval from this share on: something small may have come between.
NEARLY: Final = 0.9
# Used of the longest silence that is known to be good, once a longer one is known to be bad.
MARGIN: Final = 0.9
# Good and bad so near (as a ratio) that a further cut line is not worth what it would tell.
NARROW: Final = 1.15
PATIENCE: Final = 2000
# A new line within these seconds after the loss: the network was up, so it had forgotten the line.
PROMPT_SECONDS: Final = 10.0
# Networks that are remembered; the one not used for longest goes first.
MAX_NETWORKS: Final = 64


class Bounds(NamedTuple):
    """The interval on a network that is not known yet, and the least and most ever used.

    The server grants 15 s to 5 min; 25 s is below the 30 s at which common proxies forget a line.
    """

    first: float = 25.0
    lowest: float = 15.0
    highest: float = 300.0


class Network(msgspec.Struct, omit_defaults=True):
    """What is known of one network.

    Attributes:
        good: the longest silence that a line survived; 0 for none.
        bad: the shortest silence that a line did not survive; None for none.
        patience: quiet intervals still to be answered before `bad` is forgotten.
    """

    good: float = 0.0
    bad: float | None = None
    patience: int = PATIENCE


class Adaptive:
    """The heartbeat of a client that drives it.

    Args:
        memory: what `memory()` of an earlier run gave; None to learn anew.
        network: where the device is now, in the application's own words (the name of a WLAN, a
            carrier); one name for everything if the application does not know.
        bounds: limits of the interval, in seconds.

    Raises:
        msgspec.ValidationError: `memory` is nothing that `memory()` gave.
    """

    def __init__(
        self,
        memory: Mapping[str, Any] | None = None,
        *,
        network: str = "",
        bounds: Bounds | None = None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._networks = msgspec.convert(dict(memory or {}), dict[str, Network])
        self._granted = math.inf
        self._quiet_times = 0
        self._sent = self._heard = 0.0
        self._first_due: float | None = None
        # The longest silence since the last thing heard that ended with something sent.
        self._untold: float | None = None
        # A silence that a line did not survive, and when that line was lost.
        self._suspect: tuple[float, float] | None = None
        self.network = ""
        self.wanted = 0.0
        self.use(network)

    @property
    def interval(self) -> float:
        """Seconds of silence after which to ping now: what is wanted, as far as it was granted."""
        return min(self.wanted, self._granted)

    def memory(self) -> dict[str, Any]:
        """What was learnt, by network, to be kept (as JSON, say) for the next run."""
        return msgspec.to_builtins(self._networks)

    def use(self, network: str) -> None:
        """The device is on this network from now on."""
        if network == self.network and self.wanted:
            return
        known = self._networks.pop(network, None) or Network()
        self._networks[network] = self._known = known
        while len(self._networks) > MAX_NETWORKS:
            del self._networks[next(iter(self._networks))]
        self.network = network
        self._suspect = self._untold = None
        self._rest()

    def connected(self, now: float, granted: float, jitter: float = 1.0) -> None:
        """A new line, with the interval that the server granted.

        Args:
            now: seconds.
            granted: seconds; a longer interval would make the server give the line up.
            jitter: 0 to 1; clients that came together shall not ping together, so the first ping
                comes after half to all of the interval.
        """
        if self._suspect is not None:
            silence, lost_at = self._suspect
            self._suspect = None
            if now - lost_at <= PROMPT_SECONDS:
                self._learn_bad(silence)
        self._granted = granted
        self._sent = self._heard = now
        self._untold = None
        self._first_due = now + self.interval * (1 + jitter) / 2

    def grant(self, granted: float) -> None:
        """The server's answer to a wish: at most these seconds of silence."""
        self._granted = granted

    def sent(self, now: float) -> None:
        """Something went out, a ping or anything else."""
        silence = now - max(self._sent, self._heard)
        self._untold = max(silence, self._untold or 0.0)
        self._sent = now
        self._first_due = None

    def heard(self, now: float) -> None:
        """Something came in: the line has survived every silence up to now."""
        silence = now - max(self._sent, self._heard)
        self._heard = now
        if self._untold is not None:
            silence = max(silence, self._untold)
            self._untold = None
        if silence > self._known.good:
            self._learn_good(silence)
        if silence >= NEARLY * self.interval:
            self._on_quiet_time()

    def next_ping(self) -> float:
        """When to ping next, if nothing goes out before."""
        return self._sent + self.interval if self._first_due is None else self._first_due

    def lost(self, now: float) -> None:
        """The line is dead: what went out last was not answered, or the peer is gone."""
        silence, self._untold = self._untold, None
        if silence is None or silence < self._bounds.lowest * NEARLY:
            return  # not for its silence: no interval would have saved it
        self._suspect = (silence, now)
        self._rest()
        self.wanted = min(self.wanted, self._bounds.first)

    def _learn_good(self, silence: float) -> None:
        known = self._known
        known.good = min(silence, self._bounds.highest)
        if known.bad is not None and known.bad <= known.good:
            known.bad, known.patience = None, PATIENCE

    def _learn_bad(self, silence: float) -> None:
        known = self._known
        known.bad = silence if known.bad is None else min(silence, known.bad)
        known.patience = PATIENCE
        if known.good >= known.bad:
            known.good = 0.0  # the network has changed its mind, so nothing is known to be good
        self._rest()

    def _rest(self) -> None:
        """Take the interval that what is known allows."""
        known = self._known
        if known.good:
            wanted = known.good if known.bad is None else known.good * MARGIN
        else:
            first = self._bounds.first
            wanted = first if known.bad is None else min(first, known.bad / 2)
        self._want(wanted)

    def _on_quiet_time(self) -> None:
        """A whole interval was quiet and answered."""
        if self.wanted > self._granted:
            return  # more was asked for than the server gives
        self._quiet_times += 1
        known = self._known
        if known.bad is not None and known.bad <= known.good * NARROW:
            known.patience -= 1
            if known.patience <= 0:
                known.bad, known.patience = None, PATIENCE
            self._rest_if_changed()
        elif self._quiet_times >= QUIET_TIMES:
            further = self.wanted * GROWTH
            if known.bad is not None:
                further = min(further, math.sqrt(known.good * known.bad))
            self._want(further)

    def _rest_if_changed(self) -> None:
        """Come down from the last try once good and bad are near."""
        settled = self._known.good * MARGIN
        if self._known.bad is not None and self.wanted > settled:
            self._want(settled)

    def _want(self, interval: float) -> None:
        self.wanted = min(max(interval, self._bounds.lowest), self._bounds.highest)
        self._quiet_times = 0
