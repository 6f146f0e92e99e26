"""A fit on its way: stretches of compiled code, and between them reports, checkpoints, and an
ear for the agent.

How the stretches are cut depends on the clock; what is learned does not. A run that continues
from a checkpoint comes to the same bytes as one that nothing disturbed.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.epochs import Epoch
from core.training import Fit
from service.jobs.messages import Advanced, Assignment, Message, Resume, Snapshot, Stopped
from service.worker.doctor import Doctor
from service.worker.processors import Processors

STEP_SECONDS = 0.1  # how long compiled code runs between two reports
INLINE_BYTES = 1 << 18  # larger states go to a file, past pipe and database
COST = 50  # training takes at least this many times what its checkpoints take


class Course:
    """Drives a fit to its end, or to where it is asked to stop.

    make: builds the fit, from a saved state or from the beginning. started: when work on this
    job began, on the monotonic clock.
    """

    def __init__(
        self,
        make: Callable[[bytes | None], Fit],
        assignment: Assignment,
        rows: int,
        started: float,
        asked_to_stop: Callable[[], bool],
        doctor: Doctor,
    ) -> None:
        self._assignment = assignment
        self._rows = rows
        self._asked_to_stop = asked_to_stop
        self.fit, used = _continued(make, assignment)
        self._started = started - used
        self._saved_at = time.monotonic()
        self._pause = assignment.bounds.checkpoint_seconds
        self._last: dict[str, Any] = {}
        self.points: list[dict[str, Any]] = []
        self.doctor = doctor
        self.stopped = False

    @property
    def seconds(self) -> float:
        """Time spent on the job, that of earlier runs up to their checkpoint included."""
        return time.monotonic() - self._started

    def run(self) -> Iterator[Message]:
        """Train; yields reports. Points of the last stretch stay in `points` for the caller."""
        fit, steps = self.fit, 64
        processors = Processors(min(self._assignment.bounds.threads, fit.parts))
        budget = self._assignment.spec["training"]["max_seconds"]
        while not fit.done and self.seconds < budget:
            before, clock = fit.position, time.monotonic()
            self._note(fit.advance(steps))
            took = max(1e-6, time.monotonic() - clock)
            rate = (fit.position - before) * self._rows / took
            steps = max(1, min(1 << 20, int(steps * STEP_SECONDS / took)))
            if fit.done:
                return
            if self._asked_to_stop():
                self.stopped = True
                yield Stopped(self._taken(), fit.position, self.snapshot())
                return
            due = time.monotonic() - self._saved_at >= self._pause
            if due and (rest := self._steps_to_epoch()) <= steps:
                self._note(fit.advance(rest))  # a checkpoint at an epoch's end has its loss
                if fit.done:
                    return
            fit.threads = processors.free()
            snapshot = self.snapshot() if due else None
            findings = self.doctor.look(fit.theta) if self.doctor.due() else []
            yield Advanced(self._taken(), fit.position, rate, snapshot, findings)

    def _note(self, epochs: list[Epoch]) -> None:
        points = [_point(epoch) for epoch in epochs]
        self.points += points
        self.doctor.note(points)
        if epochs:
            self._last = self.points[-1]

    def _taken(self) -> list[dict[str, Any]]:
        points, self.points = self.points, []
        return points

    def _steps_to_epoch(self) -> int:
        per_epoch = self.fit.steps_per_epoch
        return per_epoch - round(self.fit.position * per_epoch) % per_epoch

    def snapshot(self) -> Snapshot | None:
        """The state as it is now; None when it is too large for what is left of the disk."""
        clock = time.monotonic()
        state, epoch = self.fit.state(), self.fit.position
        name = None
        if len(state) > INLINE_BYTES:
            name = file_name(self._assignment.job_id, self._assignment.fence, epoch)
            if not _write(Path(self._assignment.checkpoints), name, state):
                name, state = None, b""
        self._saved_at = time.monotonic()
        self._pause = max(
            self._assignment.bounds.checkpoint_seconds, COST * (self._saved_at - clock)
        )
        if not state:
            return None
        at_end = bool(self._last) and self._last["epoch"] == epoch
        return Snapshot(
            epoch=epoch,
            best_epoch=self.fit.best_epoch,
            seconds=self.seconds,
            train_loss=self._last["train_loss"] if at_end else None,
            validation_loss=self._last["validation_loss"] if at_end else None,
            size=len(state),
            sha256=hashlib.sha256(state).hexdigest(),
            state=state if name is None else None,
            file=name,
        )


def file_name(job_id: str, fence: int, epoch: float) -> str:
    """Where a run under this lease keeps a state; no two leases ever name the same file."""
    return f"{job_id}.{fence}.{epoch:.9f}.state"


def _continued(make: Callable[[bytes | None], Fit], assignment: Assignment) -> tuple[Fit, float]:
    """The fit and the seconds it took so far. From the beginning where the saved state cannot
    be used: that costs time, and leads to the same bytes.
    """
    resume = assignment.resume
    if resume is not None:
        state = _read(Path(assignment.checkpoints), resume)
        if state is not None:
            try:
                return make(state), resume.seconds
            except ValueError:
                pass  # of a program with other arrays
    return make(None), 0.0


def _read(folder: Path, resume: Resume) -> bytes | None:
    try:
        state = resume.state if resume.file is None else (folder / resume.file).read_bytes()
    except OSError:
        return None
    if state is None or hashlib.sha256(state).hexdigest() != resume.sha256:
        return None
    return state


def _write(folder: Path, name: str, state: bytes) -> bool:
    """Write a file that survives power loss; False when the disk has no room for it."""
    part = folder / f"{name}.part"
    try:
        with part.open("wb") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / name)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        part.unlink(missing_ok=True)
        return False
    return True


def _point(epoch: Epoch) -> dict[str, Any]:
    """As JSON. Field by field `asdict` would copy, at the cost of a short training."""
    histograms = None if epoch.histograms is None else asdict(epoch.histograms)
    return {**vars(epoch), "histograms": histograms}
