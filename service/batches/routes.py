"""HTTP for batch predictions."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from core.model import Model
from service.batches import store
from service.batches.schemas import EXAMPLE, BatchRequest, BatchResponse, shown
from service.batches.store import State as BatchState
from service.datasets import store as datasets
from service.kit.bodies import documented, json_body
from service.kit.idempotency import FAILURES, Idempotent, Once
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.problems import Problem, not_found
from service.kit.schemas import Page
from service.models.addresses import Name
from service.models.resolution import LATEST, parse_reference
from service.predictions.plan import Options
from service.predictions.shaping import misfit
from service.state import State, state_of
from service.tables import BatchPrediction

router = APIRouter(tags=["predictions"])
BatchId = Annotated[
    str, Path(max_length=64, description="Identifier of a batch.", examples=["bat_0"])
]
MEDIA_TYPES = {
    "csv": "text/csv", "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream", "parquet": "application/vnd.apache.parquet",
}  # fmt: skip
_FILE: dict[str, Any] = {
    "description": "The predictions, one a row, in the order of the data set.",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()
    },
}


@router.post(
    "/v1/models/{name}/batch-predictions",
    summary="Predict a data set",
    status_code=202,
    openapi_extra=documented(BatchRequest, penguins=EXAMPLE),
    responses=answers(
        "malformed-json", "not-found", "too-large", "unsupported-media-type", "invalid-request",
        "queue-full", "model-unreadable", *FAILURES,
    ),
)  # fmt: skip
async def submit_batch(
    request: Request,
    response: Response,
    name: Name,
    body: Annotated[BatchRequest, json_body(BatchRequest)],
    once: Idempotent,
) -> BatchResponse:
    """Queue the model's predictions for every row of a data set: a worker writes them to a file.
    Columns that the model does not ask for are left alone. The batch is on disk when the answer
    comes; the data set cannot be deleted before it has ended.
    """
    batch = await run_in_threadpool(_submit, state_of(request), name, body, once)
    response.headers["Location"] = f"/v1/batch-predictions/{batch.id}"
    return batch


def _submit(state: State, name: str, body: BatchRequest, once: Once) -> BatchResponse:
    once.compare(body)
    resolved = state.names.find(name, parse_reference(body.version or LATEST))
    if body.threshold is not None:
        model: Model = state.shelf.load(resolved.sha256)
        wrong = misfit(Options(threshold=body.threshold), model)
        if wrong is not None:
            raise wrong
    with state.database.write() as session:
        dataset = datasets.get(session, body.dataset)
        batch = store.submit(
            session,
            resolved,
            dataset,
            form=body.format,
            threshold=body.threshold,
            max_queued=state.settings.max_queued,
        )
        found = shown(batch)
        once.keep(session, 202, found, f"/v1/batch-predictions/{batch.id}")
    state.changes.doorbell.ring("batches")
    return found


@router.get("/v1/batch-predictions", summary="List batches")
def list_batches(
    request: Request,
    response: Response,
    limit: Limit = 20,
    after: After = None,
    state: Annotated[BatchState | None, Query(description="Only those in this state.")] = None,
    model: Annotated[
        str | None, Query(max_length=100, description="Only those of this model.")
    ] = None,
) -> Page[BatchResponse]:
    """Batches, newest first."""
    found = store.query(state=state, model=model)
    with state_of(request).database.read() as session:
        rows, more = fetch(session, found, BatchPrediction.id, limit=limit, after=after)
    return page([shown(row) for row in rows], [row.id for row in rows], more, request, response)


@router.get(
    "/v1/batch-predictions/{batch_id}", summary="Show a batch", responses=answers("not-found")
)
def show_batch(request: Request, batch_id: BatchId) -> BatchResponse:
    """Where it stands, how many rows are done, and its result."""
    with state_of(request).database.read() as session:
        return shown(store.get(session, batch_id))


@router.get(
    "/v1/batch-predictions/{batch_id}/result",
    summary="Download a batch's predictions",
    response_class=FileResponse,
    responses={200: _FILE, 206: _FILE, **answers("not-found", "conflict")},
)
def download_result(request: Request, batch_id: BatchId) -> FileResponse:
    """The file, in the form that was asked for; ranges may be asked for. 409 before it is there."""
    state = state_of(request)
    with state.database.read() as session:
        batch = store.get(session, batch_id)
    if batch.state != BatchState.SUCCEEDED or batch.result is None:
        raise Problem("conflict", f"The batch is {batch.state}; only succeeded ones have a result.")
    path = store.result_path(state.settings, batch.id, batch.format)
    if not path.exists():
        raise not_found("file of this batch")
    return FileResponse(
        path,
        media_type=MEDIA_TYPES[batch.format],
        filename=path.name,
        headers={"ETag": f'"{batch.result["sha256"][:32]}"'},
    )


@router.post(
    "/v1/batch-predictions/{batch_id}/cancel",
    summary="Cancel a batch",
    status_code=202,
    responses=answers("not-found", "conflict"),
)
def cancel_batch(request: Request, batch_id: BatchId) -> BatchResponse:
    """Stop a batch that waits or runs. Cancelling twice is cancelling once."""
    state = state_of(request)
    with state.database.write() as session:
        found = shown(store.cancel(session, batch_id))
    state.changes.doorbell.ring("batches")
    return found


@router.delete(
    "/v1/batch-predictions/{batch_id}",
    summary="Delete a batch",
    status_code=204,
    responses=answers("not-found", "conflict"),
)
def delete_batch(request: Request, batch_id: BatchId) -> None:
    """Remove the record and its file. 409 while it waits or runs."""
    state = state_of(request)
    with state.database.write() as session:
        batch = store.remove(session, batch_id)
        session.flush()
        store.result_path(state.settings, batch.id, batch.format).unlink(missing_ok=True)
