"""A job's row as its answer."""

import time
from datetime import UTC, datetime

from msgspec import structs
from sqlalchemy.orm import Session

from service.jobs.schemas import JobResponse, Progress
from service.jobs.states import FINAL, State
from service.jobs.store import estimated_start, queue_position
from service.jobs.transitions import history, timings
from service.tables import Job


def view(session: Session, job: Job) -> JobResponse:
    """Everything a caller may know of the job."""
    position = queue_position(session, job)
    passages = history(job)
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
            "progress": _progress(job, timings(passages, time.time()).get(State.RUNNING, 0.0)),
            "queue_position": position,
            "estimated_start_at": estimated_start(session, position),
            "attempts": job.fence,
            "timings": timings(passages, time.time()),
            "history": [
                {**structs.asdict(entered), "time": datetime.fromtimestamp(entered.time, UTC)}
                for entered in passages
            ],
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "result": job.result,
            "error": job.error,
        }
    )


def _progress(job: Job, elapsed: float) -> Progress:
    epochs = job.spec["training"]["epochs"]
    fraction = 1.0 if job.state == State.SUCCEEDED else min(1.0, job.epoch / epochs)
    eta = None
    if job.state == State.RUNNING and job.epoch > 0:
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
