"""The agent: claims jobs, runs each in a child process, and writes what the children report.

One thread, one loop, no polling: it sleeps until a doorbell rings, a child speaks or dies, or a
heartbeat is due. Everything it writes goes through the queue's fenced moves.
"""

import contextlib
import errno
import logging
import selectors
import time

import msgspec

from service.diagnosis import store as diagnosis
from service.jobs import checkpoints, queue
from service.jobs.messages import (
    STOP,
    Advanced,
    Assignment,
    Bounds,
    Failed,
    Message,
    Stopped,
    Trained,
    decode_message,
    encode,
)
from service.jobs.owners import owner_name
from service.jobs.queue import Lease
from service.jobs.states import State
from service.kit.database import Database
from service.kit.disk import has_room
from service.kit.doorbell import Doorbell
from service.kit.problems import Problem
from service.models import registry, removal
from service.settings import Settings
from service.sweeps import store as sweeps
from service.worker import endings
from service.worker.processes import Child, spawn
from service.worker.run import Run

_log = logging.getLogger("sigmoid.worker")


class Agent:
    """Runs up to `settings.workers` jobs at a time, until told to stop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.url)
        self.doorbell = Doorbell(settings.folder("run"))
        self.checkpoints = settings.folder("checkpoints")
        self.owner = owner_name()
        self.runs: dict[str, Run] = {}
        self.stopping = False
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.doorbell, selectors.EVENT_READ)
        self._reaped_at = 0.0
        self._idle: list[Child] = []  # processes that wait for a job

    def run(self) -> None:
        """Work until `stop`, then let every running job save where it is and hand it back."""
        self._idle.append(spawn())
        self._tidy()
        _log.info("worker ready: %d slots", self.settings.workers)
        while not self.stopping:
            self._try(self._patience())
        self._drain()

    def stop(self, *_: object) -> None:
        """Finish the step under way and come to an end. Safe as a signal handler."""
        self.stopping = True
        self.doorbell.wake()

    def _try(self, timeout: float) -> None:
        """A step that outlives a database that is busy or away and a disk that is full: children
        train on, and what could not be written is tried again.
        """
        try:
            self.step(timeout)
        except Problem as problem:
            _log.warning("%s: %s", problem.slug, problem.detail)
            time.sleep(0.2)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
                raise
            _log.warning("disk: %s", error.strerror)
            time.sleep(0.2)

    def step(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for something to do, and do it."""
        ready = self.selector.select(timeout)
        rung = bool(self.doorbell.heard())
        for key, _ in ready:
            if isinstance(key.data, Run):
                self._listen(key.data)
        for run in list(self.runs.values()):
            if run.end is not None:
                self._end(run)
        clock = time.monotonic()
        if rung or clock - self._reaped_at > self.settings.sweep_seconds:
            self._sweep(clock)
        self._guard(clock)
        self._beat(clock)
        self._fill()

    def _patience(self) -> float:
        runs = self.runs.values()
        if any(run.points or run.trials or run.stop_by is not None for run in runs):
            return self.settings.beat_seconds
        return self.settings.sweep_seconds

    def _fill(self) -> None:
        if not has_room(self.settings):
            return  # jobs wait until there is space for what they would write
        while not self.stopping and len(self.runs) < self.settings.workers:
            with self.database.read() as session:
                if not queue.has_waiting(session):
                    return
            with self.database.write() as session:
                lease = queue.claim(
                    session,
                    self.owner,
                    self.settings.lease_seconds,
                    fair=self.settings.fair_share_tag is not None,
                )
            if lease is None:
                return
            self._start(lease)

    def _start(self, lease: Lease) -> None:
        child = self._waiting_child()
        child.jobs += 1
        run = Run(lease, child, beat_at=time.monotonic())
        self.runs[lease.job_id] = run
        self.selector.register(child.pipe, selectors.EVENT_READ, run)
        with contextlib.suppress(OSError):  # a dead one is seen as EOF
            child.pipe.send_bytes(encode(self._assignment(lease)))
        self.doorbell.ring(lease.job_id)

    def _waiting_child(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.process.is_alive():
                return child
            child.close()
        return spawn()

    def _assignment(self, lease: Lease) -> Assignment:
        settings = self.settings
        folder = settings.folder("datasets")
        return Assignment(
            spec=lease.spec,
            dataset_path=str(folder / f"{lease.dataset_sha256}.parquet"),
            validation_path=str(folder / f"{lease.validation_sha256}.parquet"),
            validation_sha256=lease.validation_sha256,
            dataset_sha256=lease.dataset_sha256,
            job_id=lease.job_id,
            fence=lease.fence,
            checkpoints=str(self.checkpoints),
            resume=lease.resume,
            bounds=Bounds(
                settings.checkpoint_seconds,
                settings.job_memory_bytes,
                settings.job_niceness,
                settings.job_threads,
            ),
            against=self._against(lease),
            trials=self._trials(lease),
        )

    def _trials(self, lease: Lease) -> dict[int, float | None]:
        if lease.kind != "sweep":
            return {}
        with self.database.read() as session:
            return sweeps.losses(session, lease.job_id)

    def _against(self, lease: Lease) -> str | None:
        if lease.kind != "verify" or lease.subject is None:
            return None
        return str(registry.file_of(self.settings.folder("models"), lease.subject["sha256"]))

    def _listen(self, run: Run) -> None:
        """Take what a child has said; EOF before an end is a crash."""
        try:
            while run.end is None and run.child.pipe.poll():
                self._take(run, decode_message(run.child.pipe.recv_bytes()))
        except (EOFError, OSError, msgspec.DecodeError):
            endings.crash(self, run)
            self.forget(run)

    def _take(self, run: Run, message: Message) -> None:
        run.points.extend(message.points)
        if isinstance(message, Advanced):
            run.epoch, run.rows_per_second = message.epoch, message.rows_per_second
            run.findings.extend(message.findings)
            run.trials.extend(message.trials)
            if message.snapshot is not None:
                run.superseded(message.snapshot)
        else:
            run.end = message

    def _end(self, run: Run) -> None:
        """Write the end of a run."""
        end = run.end
        if isinstance(end, Trained):
            endings.succeed(self, run, end)
        elif isinstance(end, Stopped):
            endings.stop(self, run, end)
        elif isinstance(end, Failed):
            endings.fail(self, run, end)
        self.forget(run)

    def _sweep(self, clock: float) -> None:
        """Notice what is asked of running jobs, lost leases and dead workers."""
        if self.runs:
            with self.database.read() as session:
                wishes = queue.wishes(session, [run.lease for run in self.runs.values()])
            for job_id, wish in wishes.items():
                self._heed(self.runs[job_id], wish, clock)
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

    def _heed(self, run: Run, wish: State | None, clock: float) -> None:
        if wish is None or wish == State.CANCELLING:
            run.child.kill()
            endings.abandon(self, run, "it was asked to stop")
            self.forget(run)
        elif wish == State.PAUSING:
            self._ask_to_stop(run, clock)

    def _ask_to_stop(self, run: Run, clock: float) -> None:
        if run.stop_by is None:
            run.stop_by = clock + self.settings.grace_seconds
            with contextlib.suppress(OSError):
                run.child.pipe.send_bytes(STOP)

    def _guard(self, clock: float) -> None:
        """End runs that take more than they may, or longer to stop than they were given."""
        for run in list(self.runs.values()):
            if run.stop_by is not None and clock > run.stop_by:
                reason = "it did not stop in time"
                run.child.kill()
                endings.abandon(self, run, reason)
            elif broken := self._broken_bound(run, clock):
                run.child.kill()
                endings.fail(self, run, broken)
            else:
                continue
            self.forget(run)

    def _broken_bound(self, run: Run, clock: float) -> Failed | None:
        if run.child.memory() - run.base > self.settings.job_memory_bytes:
            return Failed([], "memory_exceeded", "The job needs more memory than it may have.")
        budget = run.lease.spec["training"]["max_seconds"] + self.settings.overrun_seconds
        budget += run.lease.spec.get("sweep", {}).get("seconds", 0.0)
        if clock - run.started > budget:
            message = "The job came to no end within its time, though training was over by then."
            return Failed([], "time_budget", message)
        return None

    def _beat(self, clock: float) -> None:
        """Write the progress of all runs in one transaction; prolong leases while at it."""
        settings = self.settings
        due = [run for run in self.runs.values() if run.is_due(clock, settings)]
        if not due:
            return
        done: dict[str, list[str] | None] = {}
        with self.database.write() as session:
            for run in due:
                done[run.lease.job_id] = queue.beat(
                    session,
                    run.lease,
                    settings.lease_seconds,
                    run.points,
                    run.snapshot,
                    keep=settings.checkpoints_kept,
                    epoch=run.epoch,
                    rows_per_second=run.rows_per_second,
                    **(queue.PROGRESS if run.trials else {}),
                )
                if done[run.lease.job_id] is not None:
                    diagnosis.note(session, run.lease.job_id, run.findings)
                    sweeps.write(session, run.lease.job_id, run.trials)
        for run in due:
            superfluous = done[run.lease.job_id]
            if superfluous is None:
                run.child.kill()
                self.forget(run)
                continue
            run.written(clock)
            checkpoints.remove(self.checkpoints, [*superfluous, *run.take_unused()])
            self.doorbell.ring(run.lease.job_id)

    def forget(self, run: Run) -> None:
        """A run is over, and what it left is written."""
        self.selector.unregister(run.child.pipe)
        checkpoints.remove(self.checkpoints, run.take_unused(over=True))
        del self.runs[run.lease.job_id]
        self.doorbell.ring(run.lease.job_id)
        if run.ended_well and run.child.is_fresh:
            self._idle.append(run.child)
        else:
            run.child.close()
        if not self._idle and not self.stopping:
            self._idle.append(spawn())

    def _tidy(self) -> None:
        """Remove files of states and models whose process died before a row named them."""
        with contextlib.suppress(Problem):
            removal.sweep(self.database, self.settings.folder("models"))
            with self.database.read() as session:
                names = checkpoints.orphans(session, self.checkpoints)
            checkpoints.remove(self.checkpoints, names)

    def _drain(self) -> None:
        """Let every run save where it is, within the grace, and give the jobs back."""
        for run in self.runs.values():
            self._ask_to_stop(run, time.monotonic())
        end = time.monotonic() + self.settings.grace_seconds + 1.0
        while self.runs and time.monotonic() < end:
            self._try(0.05)
        for run in list(self.runs.values()):
            run.child.kill()
            with contextlib.suppress(Problem):
                endings.abandon(self, run, "the service stopped")
            self.forget(run)
        for child in self._idle:
            child.kill()
        self.doorbell.close()
        self.database.close()
