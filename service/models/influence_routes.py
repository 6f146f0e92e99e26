"""HTTP for what a version makes of its columns: importance and dependence."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from core.validation import T_QUANTILES
from service.datasets import store as datasets
from service.kit import schemas
from service.kit.bodies import documented, json_body
from service.kit.openapi import answers
from service.models.addresses import Name, Reference
from service.models.resolution import parse_reference
from service.state import State, state_of

router = APIRouter(prefix="/v1/models/{name}/versions/{version}", tags=["models"])
DatasetId = Annotated[schemas.Text, Field(max_length=64)]
Rows = Annotated[int, Field(description="Rows that were asked about.")]
Every = Annotated[int, Field(description="Every so many rows of the data set are taken.")]
_FAILURES = answers(
    "malformed-json", "not-found", "too-large", "unsupported-media-type", "invalid-request",
    "rows-invalid", "model-unreadable",
)  # fmt: skip


class ImportanceRequest(schemas.Request):
    """Whose rows are shuffled, how often."""

    dataset: DatasetId
    repeats: int = Field(5, ge=2, le=len(T_QUANTILES) + 1, description="Shuffles of each column.")
    seed: Annotated[int, Field(ge=0, le=2**53 - 1)] = 0


class ColumnImportance(schemas.Response):
    """How much more is lost without what one column says."""

    column: str
    mean: float
    low: float = Field(description="95% interval over the shuffles.")
    high: float


class ImportanceResponse(schemas.Response):
    """Permutation importance, the most important column first."""

    model: str
    version: int
    dataset: str
    rows: Rows
    every: Every
    loss: float = Field(description="Before: mean log loss, or squared error.")
    columns: list[ColumnImportance]


class DependenceRequest(schemas.Request):
    """Along which column."""

    dataset: DatasetId
    column: schemas.ColumnName
    points: int = Field(20, ge=2, le=100, description="Quantiles of its numbers, or levels.")
    lines: int = Field(20, ge=0, le=100, description="Single rows to follow.")


class DependenceResponse(schemas.Response):
    """How the answers change along a column."""

    model: str
    version: int
    dataset: str
    column: str
    rows: Rows
    every: Every
    outputs: list[str] = Field(description="What each number of an answer is.")
    at: list[Any] = Field(description="Values of the column.")
    mean: list[list[float]] = Field(description="Partial dependence: by value, by output.")
    lines: list[list[list[float]]] = Field(
        description="Individual conditional expectation: by row, by value, by output."
    )


@router.post(
    "/importance",
    summary="Tell how much each column matters",
    openapi_extra=documented(ImportanceRequest, penguins={"dataset": "ds_sample_penguins"}),
    responses=_FAILURES,
)
async def tell_importance(
    request: Request,
    name: Name,
    version: Reference,
    body: Annotated[ImportanceRequest, json_body(ImportanceRequest)],
) -> ImportanceResponse:
    """How much more the version loses on the rows of a data set when a column is shuffled, with
    intervals. Columns that say the same stand in for each other, so that neither is missed.
    """
    return await run_in_threadpool(_importance, state_of(request), name, version, body)


def _importance(
    state: State, name: str, version: str, body: ImportanceRequest
) -> ImportanceResponse:
    from service.models.influence import importance  # PyArrow: 40 MB that others need not

    found = _told(state, name, version, body.dataset, importance, body.repeats, body.seed)
    return ImportanceResponse.model_validate(found)


@router.post(
    "/dependence",
    summary="Follow the answers along a column",
    openapi_extra=documented(
        DependenceRequest, penguins={"dataset": "ds_sample_penguins", "column": "body_mass_g"}
    ),
    responses=_FAILURES,
)
async def follow_column(
    request: Request,
    name: Name,
    version: Reference,
    body: Annotated[DependenceRequest, json_body(DependenceRequest)],
) -> DependenceResponse:
    """Partial dependence: the mean answer when every row had this value of the column; and the
    same for single rows, which shows where they differ.
    """
    return await run_in_threadpool(_dependence, state_of(request), name, version, body)


def _dependence(
    state: State, name: str, version: str, body: DependenceRequest
) -> DependenceResponse:
    from service.models.influence import along  # PyArrow: 40 MB that others need not

    asked = body.column, body.points, body.lines
    found = _told(state, name, version, body.dataset, along, *asked)
    return DependenceResponse.model_validate({"column": body.column, **found})


def _told(
    state: State, name: str, version: str, dataset_id: str, asked: Any, *options: Any
) -> dict[str, Any]:
    shelved = state.shelf.fetch(name, parse_reference(version))
    with state.database.read() as session:
        dataset = datasets.get(session, dataset_id)
    path = state.settings.folder("datasets") / f"{dataset.sha256}.parquet"
    whose = {"model": name, "version": shelved.version, "dataset": dataset.id}
    return {**whose, **asked(shelved, dataset, path, *options)}
