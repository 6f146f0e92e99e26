"""The ends a run can come to, each written under its lease in one transaction or not at all."""

import logging
import time
from typing import Protocol

from sqlalchemy.orm import Session

from service.diagnosis import store as diagnosis
from service.jobs import checkpoints, queue
from service.jobs.messages import Failed, Snapshot, Stopped, Trained
from service.jobs.states import State
from service.kit.database import Database
from service.kit.doorbell import Doorbell
from service.models import registry
from service.settings import Settings
from service.sweeps import store as sweeps
from service.worker.run import Run

_log = logging.getLogger("sigmoid.worker")


class Bench(Protocol):
    """What an ending works with; the agent is one."""

    settings: Settings
    database: Database
    doorbell: Doorbell


def succeed(bench: Bench, run: Run, end: Trained) -> None:
    """Publish: the file first, then one transaction with all that names it. A verification
    notes what it found instead.
    """
    if _is_lost(bench, run):
        return
    try:
        if end.verified is None:
            file = registry.keep(bench.settings.folder("models"), end.model)
        with bench.database.write() as session:
            if end.verified is None:
                registry.publish(session, run.lease, end, file)
                diagnosis.note(session, run.lease.job_id, [*run.findings, *end.findings])
            else:
                registry.confirm(session, run.lease, end)
            _write(session, run)
            superfluous = _save(session, bench, run, end.snapshot)
    except registry.LeaseLost:  # cancelled while it ended, or somebody else's by now
        abandon(bench, run, "it was asked to stop")
    else:
        run.saved_as(superfluous)
        bench.doorbell.ring("models")


def _is_lost(bench: Bench, run: Run) -> bool:
    """Whether the lease is gone; not even looked at while it is young."""
    if time.monotonic() - run.beat_at < bench.settings.lease_seconds / 2:
        return False
    with bench.database.read() as session:
        return queue.wishes(session, [run.lease])[run.lease.job_id] is None


def fail(bench: Bench, run: Run, end: Failed) -> None:
    """End a job with its error; its curve up to there stays, and its checkpoints."""
    error = {"code": end.code, "message": end.message, "pointer": end.pointer}
    with bench.database.write() as session:
        failed = queue.settle(session, run.lease, State.FAILED, error=error, epoch=run.epoch)
        if failed:
            _write(session, run)
            diagnosis.note(session, run.lease.job_id, [*run.findings, *end.findings])
            superfluous = _save(session, bench, run, run.snapshot)
    if failed:
        run.saved_as(superfluous)
    else:
        abandon(bench, run, "it was asked to stop")


def stop(bench: Bench, run: Run, end: Stopped) -> None:
    """Save where the run is and set the job aside: paused, or back in the queue."""
    run.superseded(end.snapshot)
    run.epoch = end.epoch
    abandon(bench, run, "its worker stopped")


def abandon(bench: Bench, run: Run, reason: str) -> None:
    """Set aside the job of a run that has ended, with all it had said; nothing for a lost lease."""
    with bench.database.write() as session:
        state = queue.set_aside(session, run.lease, reason, epoch=run.epoch)
        if state is not None:
            _write(session, run)
            diagnosis.note(session, run.lease.job_id, run.findings)
            superfluous = _save(session, bench, run, run.snapshot)
    if state is not None:
        run.saved_as(superfluous)


def crash(bench: Bench, run: Run) -> None:
    """Count the death of a run's process, after all that it had said."""
    reason, words = run.child.death(), run.child.last_words()
    _log.warning("job %s: process died, %s %s", run.lease.job_id, reason, words)
    with bench.database.write() as session:
        kept = queue.beat(
            session,
            run.lease,
            bench.settings.lease_seconds,
            run.points,
            run.snapshot,
            keep=bench.settings.checkpoints_kept,
            epoch=run.epoch,
        )
        if kept is not None:
            sweeps.write(session, run.lease.job_id, run.trials)
            limit = bench.settings.max_crashes
            queue.crashed(session, run.lease, reason, words, limit=limit)
    if kept is not None:
        run.saved_as(kept)


def _write(session: Session, run: Run) -> None:
    """What the run had said and was not yet written: epochs, and trials of a sweep."""
    queue.write_epochs(session, run.lease.job_id, run.points)
    sweeps.write(session, run.lease.job_id, run.trials)


def _save(session: Session, bench: Bench, run: Run, snapshot: Snapshot | None) -> list[str]:
    """Write a last checkpoint; names of files to remove once that has committed."""
    if snapshot is None:
        return []
    if run.saved:
        keep = bench.settings.checkpoints_kept
        return checkpoints.write(session, run.lease.job_id, snapshot, keep=keep)
    checkpoints.first(session, run.lease.job_id, snapshot)
    return []
