"""The agent: claims jobs, runs each in a child process, and writes what the children report.

One thread, one loop, no polling: it sleeps until a doorbell rings, a child speaks or dies, or a
heartbeat is due. Everything it writes goes through the queue's fenced moves.
"""

import contextlib
import logging
import multiprocessing
import selectors
import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import msgspec

from service.jobs import queue
from service.jobs.messages import (
    Advanced,
    Assignment,
    Failed,
    Message,
    Trained,
    decode_message,
    encode,
)
from service.jobs.queue import Lease
from service.jobs.states import State
from service.kit.database import Database
from service.kit.doorbell import Doorbell
from service.kit.problems import Problem
from service.models import registry
from service.settings import Settings
from service.worker import child

_log = logging.getLogger("sigmoid.worker")
NURSERY = multiprocessing.get_context("forkserver")
Child = tuple[BaseProcess, Connection]


@dataclass
class Run:
    """One job under way: its lease, its process, and what is not yet written."""

    lease: Lease
    process: BaseProcess
    pipe: Connection
    points: list[dict[str, Any]] = field(default_factory=list)
    epoch: float = 0.0
    rows_per_second: float | None = None
    end: Trained | Failed | None = None
    beat_at: float = 0.0


class Agent:
    """Runs up to `settings.workers` jobs at a time, until told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.url)
        self.doorbell = Doorbell(settings.folder("run"))
        self.owner = queue.owner_name()
        self.runs: dict[str, Run] = {}
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.doorbell, selectors.EVENT_READ)
        self._reaped_at = 0.0
        self._spare: Child | None = None

    def run(self) -> None:
        """Work until `stop`, then hand every running job back."""
        self._spare = self._spawn()
        _log.info("worker ready: %d slots", self.settings.workers)
        while not self.stopping:
            try:
                self.step(self._patience())
            except Problem as problem:  # the database is busy or away; children train on
                _log.warning("database: %s", problem.detail)
                time.sleep(0.2)
        self._hand_back()

    def stop(self, *_: object) -> None:
        """Finish the step under way and come to an end. Safe as a signal handler."""
        self.stopping = True
        self.doorbell.wake()

    def step(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for something to do, and do it."""
        ready = self.selector.select(timeout)
        rung = bool(self.doorbell.heard())
        for key, _ in ready:
            if isinstance(key.data, Run):
                self._listen(key.data)
        for run in list(self.runs.values()):
            if run.end is not None:
                self._finish(run)
        clock = time.monotonic()
        if rung or clock - self._reaped_at > self.settings.sweep_seconds:
            self._sweep(clock)
        self._beat(clock)
        self._fill()

    def _patience(self) -> float:
        if any(run.points for run in self.runs.values()):
            return self.settings.beat_seconds
        return self.settings.sweep_seconds

    def _fill(self) -> None:
        while not self.stopping and len(self.runs) < self.settings.workers:
            with self.database.read() as session:
                if not queue.has_waiting(session):
                    return
            with self.database.write() as session:
                lease = queue.claim(session, self.owner, self.settings.lease_seconds)
            if lease is None:
                return
            self._start(lease)

    def _start(self, lease: Lease) -> None:
        process, pipe = self._spare or self._spawn()
        self._spare = None
        path = self.settings.folder("datasets") / f"{lease.dataset_sha256}.parquet"
        run = Run(lease, process, pipe, beat_at=time.monotonic())
        self.runs[lease.job_id] = run
        self.selector.register(pipe, selectors.EVENT_READ, run)
        with contextlib.suppress(OSError):  # a dead spare is seen as EOF and counts as a crash
            against = self._against(lease)
            pipe.send_bytes(
                encode(Assignment(lease.spec, str(path), lease.dataset_sha256, against))
            )
        self.doorbell.ring(lease.job_id)

    def _against(self, lease: Lease) -> str | None:
        if lease.kind != "verify" or lease.subject is None:
            return None
        return str(registry.file_of(self.settings.folder("models"), lease.subject["sha256"]))

    def _spawn(self) -> Child:
        """A child that waits for its assignment. One is kept ready, so a job starts at once; the
        next is made when a job has ended, not while one begins.
        """
        ours, theirs = NURSERY.Pipe()
        process = NURSERY.Process(target=child.main, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return process, ours

    def _listen(self, run: Run) -> None:
        """Take what a child has said; EOF before an end is a crash."""
        try:
            while run.end is None and run.pipe.poll():
                self._take(run, decode_message(run.pipe.recv_bytes()))
        except (EOFError, OSError, msgspec.DecodeError):
            self._crashed(run)

    def _take(self, run: Run, message: Message) -> None:
        run.points.extend(message.points)
        if isinstance(message, Advanced):
            run.epoch, run.rows_per_second = message.epoch, message.rows_per_second
        else:
            run.end = message

    def _crashed(self, run: Run) -> None:
        run.process.join(1.0)
        reason = _death(run.process.exitcode)
        _log.warning("job %s: process died, %s", run.lease.job_id, reason)
        with self.database.write() as session:
            queue.give_back(
                session, run.lease, reason, crashed=True, max_crashes=self.settings.max_crashes
            )
        self._forget(run)

    def _finish(self, run: Run) -> None:
        """Write the end of a run: file first, then one transaction with all that names it."""
        end = run.end
        if isinstance(end, Trained) and end.verified is not None:
            with self.database.write() as session:
                queue.write_epochs(session, run.lease.job_id, run.points)
                registry.confirm(session, run.lease, end)
        elif isinstance(end, Trained):
            file = registry.keep(self.settings.folder("models"), end.model)
            with self.database.write() as session:
                queue.write_epochs(session, run.lease.job_id, run.points)
                registry.publish(session, run.lease, end, file)
            self.doorbell.ring("models")
        else:
            assert end is not None
            error = {"code": end.code, "message": end.message, "pointer": end.pointer}
            with self.database.write() as session:
                queue.write_epochs(session, run.lease.job_id, run.points)
                queue.settle(session, run.lease, State.FAILED, error=error)
        self._forget(run)

    def _sweep(self, clock: float) -> None:
        """Notice cancelled jobs, lost leases and dead workers."""
        if self.runs:
            with self.database.read() as session:
                unwanted = queue.unwanted(session, [run.lease for run in self.runs.values()])
            for lease in unwanted:
                self._abandon(self.runs[lease.job_id])
        if clock - self._reaped_at > self.settings.sweep_seconds:
            self._reaped_at = clock
            with self.database.read() as session:
                found = queue.stale(session)
            if found:
                with self.database.write() as session:
                    taken = queue.reap(session)
                for job_id in taken:
                    self.doorbell.ring(job_id)
            self.database.checkpoint()

    def _abandon(self, run: Run) -> None:
        _kill(run.process)
        with self.database.write() as session:
            queue.write_epochs(session, run.lease.job_id, run.points)
            queue.settle(session, run.lease, State.CANCELLED, epoch=run.epoch)
        self._forget(run)

    def _beat(self, clock: float) -> None:
        """Write the progress of all runs in one transaction; prolong leases while at it."""
        due = [run for run in self.runs.values() if self._is_due(run, clock)]
        if not due:
            return
        lost = []
        with self.database.write() as session:
            for run in due:
                kept = queue.beat(
                    session,
                    run.lease,
                    self.settings.lease_seconds,
                    epoch=run.epoch,
                    rows_per_second=run.rows_per_second,
                )
                if kept:
                    queue.write_epochs(session, run.lease.job_id, run.points)
                else:
                    lost.append(run)
        for run in due:
            run.points, run.beat_at = [], clock
            self.doorbell.ring(run.lease.job_id)
        for run in lost:
            _kill(run.process)
            self._forget(run)

    def _is_due(self, run: Run, clock: float) -> bool:
        waited = clock - run.beat_at
        if run.points or run.epoch:
            return waited >= self.settings.beat_seconds
        return waited >= self.settings.lease_seconds / 3

    def _forget(self, run: Run) -> None:
        self.selector.unregister(run.pipe)
        run.pipe.close()
        del self.runs[run.lease.job_id]
        self.doorbell.ring(run.lease.job_id)
        run.process.join(0)
        if self._spare is None and not self.stopping:
            self._spare = self._spawn()

    def _hand_back(self) -> None:
        for run in list(self.runs.values()):
            _kill(run.process)
            with contextlib.suppress(Problem), self.database.write() as session:
                queue.give_back(
                    session, run.lease, "the service stopped", crashed=False, max_crashes=2**31
                )
            self._forget(run)
        if self._spare is not None:
            _kill(self._spare[0])
        self.doorbell.close()
        self.database.close()


def _kill(process: BaseProcess) -> None:
    process.kill()
    process.join(5.0)


def _death(code: int | None) -> str:
    if code is None:
        return "it stopped talking"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
