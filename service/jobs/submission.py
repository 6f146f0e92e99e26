"""What callers do to jobs, whichever address they come by: submit one, change its course."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from service.datasets import store as datasets
from service.jobs import store
from service.jobs.resolution import resolve
from service.jobs.schemas import JobRequest, JobResponse
from service.jobs.view import view
from service.kit.disk import require_room
from service.state import State
from service.tables import Job

Keep = Callable[[Session, JobResponse], None]


def submit(state: State, body: JobRequest, keep: Keep | None = None) -> JobResponse:
    """Queue a job and wake the workers. `keep` writes into the same transaction.

    Raises Problem not-found, job-invalid, queue-full, storage-full.
    """
    require_room(state.settings)
    with state.database.read() as session:
        dataset = datasets.get(session, body.dataset)
    resolution = resolve(body, dataset, state.settings)
    with state.database.write() as session:
        job = store.submit(
            session,
            dataset_id=datasets.get(session, body.dataset).id,
            model=resolution.model,
            spec=resolution.spec,
            warnings=resolution.warnings,
            tags=dict(body.tags),
            priority=body.priority,
            max_queued=state.settings.max_queued,
            share=body.tags.get(state.settings.fair_share_tag or "", ""),
        )
        shown = view(session, job)
        if keep is not None:
            keep(session, shown)
    state.changes.doorbell.ring(job.id)
    return shown


def change(state: State, job_id: str, move: Callable[[Session, str], Job]) -> JobResponse:
    """Cancel, pause or resume: `move` is that function of the store. Raises Problem conflict."""
    with state.database.write() as session:
        shown = view(session, move(session, job_id))
    state.changes.doorbell.ring(job_id)
    return shown
