"""A job under way: its lease, its process, and what is not yet written."""

import time
from dataclasses import dataclass, field
from typing import Any

from service.jobs.messages import Failed, Snapshot, Stopped, Trained
from service.jobs.queue import Lease
from service.settings import Settings
from service.sweeps.messages import Trial
from service.worker.processes import Child


@dataclass
class Run:
    """What the agent knows of a job that it runs."""

    lease: Lease
    child: Child
    beat_at: float
    started: float = field(default_factory=time.monotonic)
    points: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    snapshot: Snapshot | None = None
    saved: bool = False  # whether the job has a checkpoint in the database
    epoch: float = 0.0
    rows_per_second: float | None = None
    end: Trained | Stopped | Failed | None = None
    base: int = 0  # bytes that its process had when it began
    stop_by: float | None = None  # when it is killed, if it was asked to stop
    _unused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """A job that resumes has checkpoints; what its process had before is not the job's own."""
        self.base = self.child.memory()
        self.saved = self.lease.resume is not None
        self.epoch = 0.0 if self.lease.resume is None else self.lease.resume.epoch

    def superseded(self, snapshot: Snapshot | None) -> None:
        """Keep the newest state to be written; the file of one before it is named by nothing."""
        if snapshot is None:
            return
        if self.snapshot is not None and self.snapshot.file is not None:
            self._unused.append(self.snapshot.file)
        self.snapshot = snapshot

    def written(self, clock: float) -> None:
        """All that was known has been committed."""
        self.saved = self.saved or self.snapshot is not None
        self.points, self.snapshot, self.beat_at = [], None, clock
        self.findings, self.trials = [], []

    def saved_as(self, superfluous: list[str]) -> None:
        """Its last checkpoint has been committed, and these files are named no longer."""
        self.snapshot = None
        self._unused += superfluous

    def take_unused(self, *, over: bool = False) -> list[str]:
        """Names of files that no row will name; of a run that is over, its unwritten state's."""
        if over and self.snapshot is not None and self.snapshot.file is not None:
            self._unused.append(self.snapshot.file)
        names, self._unused = self._unused, []
        return names

    @property
    def ended_well(self) -> bool:
        """Whether its process has said all and waits, with nothing unread in its pipe."""
        return isinstance(self.end, Trained | Failed) and self.stop_by is None

    def is_due(self, clock: float, settings: Settings) -> bool:
        """Whether to write now: progress soon, silence a third of the lease later."""
        waited = clock - self.beat_at
        if self.points or self.trials or self.snapshot is not None:
            return waited >= settings.beat_seconds
        return waited >= min(
            settings.lease_seconds / 3, 1.0 if self.epoch else settings.lease_seconds
        )
