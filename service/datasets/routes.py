"""HTTP for data sets."""

from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from service.datasets import store
from service.datasets.samples import SAMPLES
from service.datasets.schemas import DatasetBrief, DatasetResponse, GenerateRequest, RowsResponse
from service.datasets.uploads import Upload, receive
from service.kit.bodies import documented, json_body
from service.kit.idempotency import FAILURES as ONCE
from service.kit.idempotency import Idempotent, Once
from service.kit.openapi import answers
from service.kit.pagination import After, Limit, fetch, page
from service.kit.problems import not_found
from service.kit.schemas import Page
from service.state import State, state_of
from service.tables import Dataset

if TYPE_CHECKING:
    from service.datasets.library import Keep, Stored

router = APIRouter(prefix="/v1/datasets", tags=["datasets"])
DatasetId = Annotated[
    str,
    Path(max_length=64, description="Identifier of a data set.", examples=["ds_sample_penguins"]),
]
_TABLES = ("text/csv", "text/tab-separated-values", "application/x-ndjson", "application/json",
           "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream")  # fmt: skip
_EXAMPLE = "length,width,kind\n5.1,3.5,small\n6.3,2.9,large\n5.0,3.4,small\n6.5,3.0,large\n"
_UPLOAD_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}, "example": _EXAMPLE},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            },
            **{kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TABLES[1:]},
        },
    }
}
_FAILURES = ("dataset-invalid", "too-large", "unsupported-media-type", "storage-full")


def _library() -> ModuleType:
    """The library of tables, with PyArrow behind it: 40 MB that a process which only predicts
    never loads.
    """
    from service.datasets import library

    return library


def _brief(dataset: Dataset) -> dict[str, Any]:
    return {name: getattr(dataset, name) for name in DatasetBrief.model_fields}


def _whole(dataset: Dataset) -> DatasetResponse:
    return DatasetResponse.model_validate(
        {name: getattr(dataset, name) for name in DatasetResponse.model_fields}
    )


def _created(stored: "Stored", response: Response) -> DatasetResponse:
    response.status_code = 201 if stored.is_new else 200
    response.headers["Location"] = f"/v1/datasets/{stored.dataset.id}"
    return _whole(stored.dataset)


def _kept(once: Once) -> "Keep":
    """What the library does, in its transaction, with a data set that came in."""

    def keep(session: Session, stored: "Stored") -> None:
        dataset = stored.dataset
        status = 201 if stored.is_new else 200
        once.keep(session, status, _whole(dataset), f"/v1/datasets/{dataset.id}")

    return keep


def _add_upload(state: State, upload: Upload, name: str | None, once: Once) -> "Stored":
    once.compare(name, upload.filename, upload.content_type, upload.compression, upload.path)
    stored: Stored = _library().add_upload(state, upload, name, _kept(once))
    return stored


_SAME: dict[int | str, dict[str, Any]] = {
    200: {"model": DatasetResponse, "description": "The same content is here already."}
}


@router.post(
    "",
    summary="Upload a table",
    status_code=201,
    openapi_extra=_UPLOAD_BODY,
    responses={**_SAME, **answers(*_FAILURES, *ONCE)},
)
async def upload_dataset(
    request: Request,
    response: Response,
    once: Idempotent,
    name: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=128,
            pattern=r"^[^\x00-\x1f\x7f]+$",
            description="What to call it; default: the file's name.",
        ),
    ] = None,
) -> DatasetResponse:
    """CSV, TSV, NDJSON, JSON records, Parquet or Arrow, told by Content-Type; gzip or zstd by
    Content-Encoding; or the same as multipart field `file`. Typed and profiled in one pass.
    """
    state = state_of(request)
    async with receive(request, state.settings) as upload:
        stored = await run_in_threadpool(_add_upload, state, upload, name, once)
    return _created(stored, response)


@router.post(
    "/generate",
    summary="Generate a table",
    status_code=201,
    openapi_extra=documented(
        GenerateRequest, moons={"kind": "moons", "rows": 200, "noise": 0.1, "seed": 1}
    ),
    responses={
        **_SAME,
        **answers("malformed-json", "too-large", "unsupported-media-type", "storage-full", *ONCE),
    },
)
def generate_dataset(
    request: Request,
    response: Response,
    body: Annotated[GenerateRequest, json_body(GenerateRequest)],
    once: Idempotent,
) -> DatasetResponse:
    """An artificial data set, for learning and for tests."""
    once.compare(body)
    return _created(_library().add_generated(state_of(request), body, _kept(once)), response)


@router.post(
    "/samples/{name}",
    summary="Add a bundled sample",
    status_code=201,
    responses={**_SAME, **answers("not-found", "storage-full", *ONCE)},
)
def add_sample(
    request: Request,
    response: Response,
    name: Annotated[
        str,
        Path(max_length=64, description=f"One of: {', '.join(SAMPLES)}.", examples=["penguins"]),
    ],
    once: Idempotent,
) -> DatasetResponse:
    """A real data set that ships with the service, with its licence and source."""
    if name not in SAMPLES:
        raise not_found("sample")
    once.compare(name)
    return _created(_library().add_sample(state_of(request), SAMPLES[name], _kept(once)), response)


@router.get("", summary="List data sets")
def list_datasets(
    request: Request,
    response: Response,
    limit: Limit = 20,
    after: After = None,
    name: Annotated[
        str | None, Query(max_length=128, description="Only those of this name.")
    ] = None,
) -> Page[DatasetBrief]:
    """Data sets, newest first."""
    with state_of(request).database.read() as session:
        rows, more = fetch(session, store.query(name), Dataset.id, limit=limit, after=after)
    items = [DatasetBrief(**_brief(row)) for row in rows]
    return page(items, [row.id for row in rows], more, request, response)


@router.get("/{dataset_id}", summary="Show a data set", responses=answers("not-found"))
def show_dataset(request: Request, dataset_id: DatasetId) -> DatasetResponse:
    """Type and profile of every column."""
    with state_of(request).database.read() as session:
        return _whole(store.get(session, dataset_id))


@router.get("/{dataset_id}/rows", summary="Read rows", responses=answers("not-found"))
def read_dataset_rows(
    request: Request,
    dataset_id: DatasetId,
    after: Annotated[int, Query(ge=0, le=2**53, description="Rows to skip.")] = 0,
    limit: Limit = 20,
) -> RowsResponse:
    """Rows as records, in the order of the file."""
    state = state_of(request)
    with state.database.read() as session:
        dataset = store.get(session, dataset_id)
    rows = _library().read(state, dataset, after=after, limit=limit)
    return RowsResponse(data=rows, has_more=after + len(rows) < dataset.rows)


@router.delete(
    "/{dataset_id}",
    summary="Delete a data set",
    status_code=204,
    responses=answers("not-found", "conflict"),
)
def delete_dataset(request: Request, dataset_id: DatasetId) -> None:
    """Remove the table and its file. 409 while a job needs it."""
    _library().remove(state_of(request), dataset_id)
