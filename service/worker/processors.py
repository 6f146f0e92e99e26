"""How many processors a run may use now: those that nobody else is using.

Read from the kernel's counters between two looks, so predictions and other jobs count whoever runs
them. What a run learns does not depend on the answer.
"""

import os
import time
from pathlib import Path

_SLACK = 0.25  # of a processor that others may be using of one that is called idle
_TICK = os.sysconf("SC_CLK_TCK")


class Processors:
    """The load of the processors that this process may run on. most: the largest answer."""

    def __init__(self, most: int, counters: Path = Path("/proc/stat")) -> None:
        self._most, self._counters = most, counters
        self._ours = sorted(os.sched_getaffinity(0))
        self._seen = self._look()

    def free(self) -> int:
        """How many threads others leave room for since the last call; at least 1, for this one."""
        if self._most == 1 or len(self._ours) == 1:
            return 1
        before, self._seen = self._seen, self._look()
        if before is None or self._seen is None:
            return 1
        (clock, busy, own), (later, more, mine) = before, self._seen
        seconds = later - clock
        if seconds < 2 / _TICK:
            self._seen = before  # too short to tell; the next call looks over a longer time
            return 1
        others = max(0.0, (more - busy) - (mine - own)) / seconds
        return max(1, min(self._most, int(len(self._ours) - others + _SLACK)))

    def _look(self) -> tuple[float, float, float] | None:
        """Now, the seconds that our processors were busy, and those that this process took."""
        try:
            text = self._counters.read_text("ascii")
        except OSError:
            return None
        busy = 0
        names = {f"cpu{number}" for number in self._ours}
        for line in text.splitlines():
            name, _, counts = line.partition(" ")
            if name in names:
                user, nice, system, _, _, *rest = (int(count) for count in counts.split())
                busy += user + nice + system + sum(rest[:3])  # interrupts, and time stolen
        return time.monotonic(), busy / _TICK, time.process_time()
