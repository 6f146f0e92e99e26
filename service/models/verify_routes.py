"""HTTP for verification: whether training again gives the very same weights."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.jobs.schemas import JobResponse
from service.jobs.view import view
from service.jobs.waiting import Prefer, answer
from service.kit.idempotency import FAILURES, Idempotent, Once
from service.kit.openapi import answers
from service.models import verification
from service.models.addresses import Name, Reference
from service.models.resolution import parse_reference
from service.state import State, state_of

router = APIRouter(prefix="/v1/models/{name}/versions/{version}", tags=["models"])


@router.post(
    "/verify",
    summary="Verify a version",
    status_code=202,
    responses={
        200: {"model": JobResponse, "description": "With `Prefer: wait=N`: it ended in time."},
        **answers("not-found", "conflict", "queue-full", *FAILURES),
    },
)
async def verify_version(
    request: Request,
    response: Response,
    name: Name,
    version: Reference,
    once: Idempotent,
    prefer: Prefer = None,
) -> JobResponse:
    """Train again from the version's lineage, in the worker, as a job of the kind `verify`, and
    compare the weights bit for bit. Its `result.verified` says what was found; nothing is
    published. 409 where the lineage does not suffice: the data set is gone, or a time budget
    ended the training.
    """
    state = state_of(request)
    job = await run_in_threadpool(_submit, state, name, version, once)
    return await answer(state, job, prefer, response)


def _submit(state: State, name: str, version: str, once: Once) -> JobResponse:
    once.compare()
    found = state.names.find(name, parse_reference(version))
    with state.database.write() as session:
        job = verification.submit(session, name, found.version, state.settings.max_queued)
        shown = view(session, job)
        once.keep(session, 202, shown, f"/v1/jobs/{job.id}")
    state.changes.doorbell.ring(job.id)
    return shown
