"""HTTP for findings and their fixes."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from service.datasets import store as datasets
from service.diagnosis import store
from service.diagnosis.schemas import DiagnosisResponse, Finding, FixRequest
from service.jobs import store as jobs
from service.jobs.merging import merge
from service.jobs.resolution import Resolution, resolve
from service.jobs.routes import JobId
from service.jobs.schemas import JobRequest, JobResponse
from service.jobs.states import FINAL
from service.jobs.view import view
from service.jobs.waiting import Prefer, answer
from service.kit.bodies import documented, json_body
from service.kit.openapi import answers
from service.kit.problems import Problem
from service.settings import Settings
from service.state import State, state_of
from service.tables import Dataset, Job, Json

router = APIRouter(prefix="/v1/jobs/{job_id}", tags=["jobs"])
EXAMPLE = {"finding": "too_slow"}


@router.get("/diagnosis", summary="Read the diagnosis", responses=answers("not-found"))
def read_diagnosis(request: Request, job_id: JobId) -> DiagnosisResponse:
    """What is wrong with the run, as far as it can be seen by now: each finding with its
    evidence, why it is so, and the change of the job that mends it. A job whose fix was tried
    says whether it helped.
    """
    with state_of(request).database.read() as session:
        job = jobs.get(session, job_id)
        found = store.findings(session, job_id)
    return DiagnosisResponse(
        job=job_id,
        complete=job.state in FINAL,
        data=[Finding.model_validate(item) for item in found],
    )


@router.post(
    "/apply-fix",
    summary="Apply a fix",
    status_code=202,
    openapi_extra=documented(FixRequest, too_slow=EXAMPLE),
    responses={
        200: {"model": JobResponse, "description": "With `Prefer: wait=N`: the job ended in time."},
        **answers(
            "malformed-json", "not-found", "conflict", "too-large", "unsupported-media-type",
            "invalid-request", "job-invalid", "job-too-large", "queue-full",
        ),
    },
)  # fmt: skip
async def apply_fix(
    request: Request,
    response: Response,
    job_id: JobId,
    body: Annotated[FixRequest, json_body(FixRequest)],
    prefer: Prefer = None,
) -> JobResponse:
    """Queue a new job: this one, changed by the finding's fix, with the same seed and so the same
    validation rows. When it has ended, the finding says whether it helped. 409 for a finding that
    no change of the job mends.
    """
    state = state_of(request)
    job = await run_in_threadpool(_apply, state, job_id, body.finding)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return await answer(state, job, prefer, response)


def _apply(state: State, job_id: str, finding_id: str) -> JobResponse:
    with state.database.read() as session:
        job = jobs.get(session, job_id)
        found = store.find(session, job_id, finding_id)
        dataset = datasets.get(session, job.dataset_id)
    if found["fix"] is None:
        raise Problem("conflict", "No change of the job mends this finding; see its explanation.")
    resolution = mended(job, dataset, found["fix"], state.settings)
    with state.database.write() as session:
        made = jobs.submit(
            session,
            dataset_id=datasets.get(session, job.dataset_id).id,
            model=resolution.model,
            spec=resolution.spec,
            warnings=resolution.warnings,
            tags=job.tags,
            priority=-job.rank,
            max_queued=state.settings.max_queued,
            share=job.share,
        )
        store.applied(session, job_id, finding_id, made.id)
        shown = view(session, made)
    state.changes.doorbell.ring(made.id)
    return shown


def mended(job: Job, dataset: Dataset, fix: Json, settings: Settings) -> Resolution:
    """The job changed by a fix, resolved anew."""
    asked = {**job.spec, "dataset": job.dataset_id, "model": job.model}
    try:
        request = JobRequest.model_validate(merge(asked, fix))
    except ValidationError:
        detail = "The job is of an older version of this service; submit it anew with the fix."
        raise Problem("conflict", detail) from None
    return resolve(request, dataset, settings)
