"""What callers do to jobs, whichever address they come by: submit one, change its course."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from service.datasets import store as datasets
from service.jobs import store
from service.jobs.resolution import resolve
from service.jobs.schemas import JobRequest, JobResponse
from service.jobs.view import view
from service.kit.disk import require_room
from service.kit.problems import FieldError, Problem
from service.state import State
from service.tables import Dataset, Job

Keep = Callable[[Session, JobResponse], None]


def submit(state: State, body: JobRequest, keep: Keep | None = None) -> JobResponse:
    """Queue a job and wake the workers. `keep` writes into the same transaction.

    Raises Problem not-found, job-invalid, queue-full, storage-full.
    """
    require_room(state.settings)
    with state.database.read() as session:
        dataset = datasets.get(session, body.dataset)
        judge = _judge(session, body)
    resolution = resolve(body, dataset, state.settings, judge)
    with state.database.write() as session:
        _judge(session, body)  # nobody has deleted it meanwhile
        job = store.submit(
            session,
            dataset_id=datasets.require(session, body.dataset),
            model=resolution.model,
            spec=resolution.spec,
            warnings=resolution.warnings,
            tags=dict(body.tags),
            priority=body.priority,
            max_queued=state.settings.max_queued,
            share=body.tags.get(state.settings.fair_share_tag or "", ""),
        )
        shown = None
        if keep is not None:
            shown = view(session, job)
            keep(session, shown)
    state.changes.doorbell.ring(job.id)
    if shown is None:  # put together while a worker begins
        with state.database.read() as session:
            shown = view(session, job)
    return shown


def _judge(session: Session, body: JobRequest) -> Dataset | None:
    """The data set whose rows judge, where another one does. Raises Problem job-invalid."""
    validation = body.training.validation
    if validation is None or validation.dataset is None:
        return None
    found = session.get(Dataset, validation.dataset)
    if found is None:
        detail = "There is no such data set; GET /v1/datasets for those that there are."
        field = FieldError("/training/validation/dataset", detail, "unknown_dataset")
        raise Problem("job-invalid", detail, [field])
    return found


def change(state: State, job_id: str, move: Callable[[Session, str], Job]) -> JobResponse:
    """Cancel, pause or resume: `move` is that function of the store. Raises Problem conflict."""
    with state.database.write() as session:
        shown = view(session, move(session, job_id))
    state.changes.doorbell.ring(job_id)
    return shown
