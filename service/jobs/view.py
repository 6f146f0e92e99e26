"""A job's row as its answer."""

from datetime import UTC, datetime

from sqlalchemy.orm import Session

from service.jobs.schemas import JobResponse, Progress
from service.jobs.states import FINAL, State
from service.jobs.store import queue_position
from service.tables import Job


def view(session: Session, job: Job) -> JobResponse:
    """Everything a caller may know of the job."""
    return JobResponse.model_validate(
        {
            **job.spec,
            "id": job.id,
            "kind": job.kind,
            "state": job.state,
            "dataset": job.dataset_id,
            "model": job.model,
            "priority": -job.rank,
            "tags": job.tags,
            "warnings": job.warnings,
            "progress": _progress(job),
            "queue_position": queue_position(session, job),
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "result": job.result,
            "error": job.error,
        }
    )


def _progress(job: Job) -> Progress:
    epochs = job.spec["training"]["epochs"]
    fraction = 1.0 if job.state == State.SUCCEEDED else min(1.0, job.epoch / epochs)
    eta = None
    if job.state == State.RUNNING and job.started_at is not None and job.epoch > 0:
        elapsed = (datetime.now(UTC) - job.started_at).total_seconds()
        eta = max(0.0, elapsed * (epochs - job.epoch) / job.epoch)
    if job.state in FINAL:
        eta = 0.0
    return Progress(
        epoch=job.epoch,
        epochs=epochs,
        fraction=fraction,
        eta_seconds=eta,
        rows_per_second=job.rows_per_second,
    )
