"""Asking for a version's training to be repeated. Never commits."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.jobs import store as jobs
from service.kit.problems import Problem
from service.models import store
from service.tables import Dataset, Job, Json, ModelVersion


def submit(session: Session, name: str, number: int, max_queued: int) -> Job:
    """Queue a job that trains from the version's lineage and compares the weights.

    Raises Problem not-found, queue-full, and conflict where the lineage does not suffice.
    """
    version = store.version(session, name, number)
    spec = version.lineage.get("spec")
    if spec is None:
        raise _cannot("its lineage does not say how it was trained")
    dataset = session.scalars(
        select(Dataset).where(Dataset.sha256 == version.lineage.get("dataset_sha256"))
    ).one_or_none()
    if dataset is None:
        raise _cannot("the data set it was trained on is not here")
    if _ended_by_clock(session, version):
        raise _cannot("its time was up before its epochs were, and no clock runs twice alike")
    return jobs.submit(
        session,
        dataset_id=dataset.id,
        model=name,
        spec=spec,
        warnings=[],
        tags={},
        priority=0,
        max_queued=max_queued,
        kind="verify",
        subject={"model": name, "version": number, "sha256": version.sha256},
    )


def _cannot(reason: str) -> Problem:
    return Problem("conflict", f"This version's training cannot be repeated: {reason}.")


def _ended_by_clock(session: Session, version: ModelVersion) -> bool:
    job = None if version.job_id is None else session.get(Job, version.job_id)
    result: Json = (None if job is None else job.result) or {}
    return result.get("stop_reason") == "time_budget"
