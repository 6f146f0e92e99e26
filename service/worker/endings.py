"""The ends a run can come to, each written under its lease in one transaction or not at all."""

import logging
from typing import Protocol

from sqlalchemy.orm import Session

from service.jobs import checkpoints, queue
from service.jobs.messages import Failed, Snapshot, Stopped, Trained
from service.jobs.states import State
from service.kit.database import Database
from service.kit.doorbell import Doorbell
from service.models import registry
from service.settings import Settings
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
    try:
        if end.verified is None:
            file = registry.keep(bench.settings.folder("models"), end.model)
        with bench.database.write() as session:
            if end.verified is None:
                registry.publish(session, run.lease, end, file)
            else:
                registry.confirm(session, run.lease, end)
            queue.write_epochs(session, run.lease.job_id, run.points)
            _save(session, bench, run, end.snapshot)
    except registry.LeaseLost:  # cancelled while it ended, or somebody else's by now
        abandon(bench, run, "it was asked to stop")
    else:
        bench.doorbell.ring("models")


def fail(bench: Bench, run: Run, end: Failed) -> None:
    """End a job with its error; its curve up to there stays."""
    error = {"code": end.code, "message": end.message, "pointer": end.pointer}
    with bench.database.write() as session:
        if queue.settle(session, run.lease, State.FAILED, error=error, epoch=run.epoch):
            queue.write_epochs(session, run.lease.job_id, run.points)
            return
    abandon(bench, run, "it was asked to stop")


def stop(bench: Bench, run: Run, end: Stopped) -> None:
    """Save where the run is and set the job aside: paused, or back in the queue."""
    with bench.database.write() as session:
        reason = "its worker stopped"
        if queue.set_aside(session, run.lease, reason, epoch=end.epoch, crashes=0, losses=0):
            queue.write_epochs(session, run.lease.job_id, run.points)
            _save(session, bench, run, end.snapshot)


def abandon(bench: Bench, run: Run, reason: str) -> None:
    """Set the job of a killed process aside, with what it had said; nothing for a lost lease."""
    with bench.database.write() as session:
        if queue.set_aside(session, run.lease, reason, epoch=run.epoch):
            queue.write_epochs(session, run.lease.job_id, run.points)
            _save(session, bench, run, run.snapshot)


def crash(bench: Bench, run: Run) -> None:
    """Count the death of a run's process."""
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
            limit = bench.settings.max_crashes
            queue.crashed(session, run.lease, reason, words, limit=limit)


def _save(session: Session, bench: Bench, run: Run, snapshot: Snapshot | None) -> None:
    """Write a last checkpoint. Files that it makes superfluous stay until the next start."""
    if snapshot is None:
        return
    if run.saved:
        checkpoints.write(session, run.lease.job_id, snapshot, keep=bench.settings.checkpoints_kept)
    else:
        checkpoints.first(session, run.lease.job_id, snapshot)
