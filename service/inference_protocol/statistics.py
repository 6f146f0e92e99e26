"""How often and how long each version was asked by this protocol, in this process."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

PARTS = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")


@dataclass
class Tally:
    """Counts and nanoseconds of one version."""

    last_inference: int = 0  # milliseconds since 1970
    rows: int = 0
    executions: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    nanoseconds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))

    def add(self, part: str, nanoseconds: int) -> None:
        """One more of a part."""
        self.counts[part] += 1
        self.nanoseconds[part] += nanoseconds


class Statistics:
    """The tallies of all versions that were asked. Safe in threads."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, int], Tally] = {}
        self._lock = threading.Lock()

    def succeeded(self, name: str, version: int, rows: int, marks: tuple[int, ...]) -> None:
        """marks: clock readings (ns) at the start and after input, inference and output."""
        with self._lock:
            tally = self._tallies.setdefault((name, version), Tally())
            tally.last_inference = time.time_ns() // 1_000_000
            tally.rows += rows
            tally.executions += 1
            start, read, inferred, written = marks
            tally.add("success", written - start)
            tally.add("queue", 0)
            tally.add("compute_input", read - start)
            tally.add("compute_infer", inferred - read)
            tally.add("compute_output", written - inferred)

    def failed(self, name: str, version: int, nanoseconds: int) -> None:
        """A request that was refused."""
        with self._lock:
            self._tallies.setdefault((name, version), Tally()).add("fail", nanoseconds)

    def shown(self, name: str | None = None, version: int | None = None) -> list[dict[str, Any]]:
        """In the protocol's words: of all, of a model, or of a version."""
        with self._lock:
            chosen = {
                key: tally
                for key, tally in sorted(self._tallies.items())
                if name in (None, key[0]) and version in (None, key[1])
            }
            if name is not None and version is not None:
                chosen = chosen or {(name, version): Tally()}
            return [_shown(key, tally) for key, tally in chosen.items()]


def _shown(key: tuple[str, int], tally: Tally) -> dict[str, Any]:
    return {
        "name": key[0],
        "version": str(key[1]),
        "last_inference": tally.last_inference,
        "inference_count": tally.rows,
        "execution_count": tally.executions,
        "inference_stats": {
            part: {"count": tally.counts[part], "ns": tally.nanoseconds[part]} for part in PARTS
        },
        "batch_stats": [],
    }
