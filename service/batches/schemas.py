"""Batches as they come in and go out."""

from typing import Any, Literal

from pydantic import Field

from service.batches.store import State
from service.kit.schemas import Moment, Request, Response
from service.models.resolution import REFERENCE
from service.tables import BatchPrediction


class BatchRequest(Request):
    """A model's predictions for every row of a data set."""

    dataset: str = Field(max_length=64, description="Identifier of a data set.")
    version: str | None = Field(
        None,
        pattern=REFERENCE,
        description="A version's number, an alias, or `latest`; what it means is settled now. "
        "Default: `latest`.",
    )
    format: Literal["csv", "ndjson", "arrow", "parquet"] = Field(
        "parquet", description="Form of the result."
    )
    threshold: float | None = Field(
        None, ge=0, le=1, description="As for predictions; for models with two classes."
    )


class BatchResult(Response):
    """The file of a succeeded batch."""

    rows: int
    bytes: int
    sha256: str = Field(description="Of the file; equal models and data give equal bytes.")


class BatchError(Response):
    """Why a batch failed. row: of the data set, from 0."""

    code: str
    message: str
    column: str | None = None
    row: int | None = None


class BatchResponse(Response):
    """A batch and where it stands."""

    id: str
    state: State
    model: str
    version: int
    dataset: str
    format: str
    threshold: float | None
    rows: int = Field(description="Of the data set.")
    done: int = Field(description="Rows that are predicted.")
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    warnings: list[dict[str, Any]] = Field(description="As of predictions, over all rows.")
    result: BatchResult | None
    error: BatchError | None


def shown(batch: BatchPrediction) -> BatchResponse:
    """A batch as it goes out."""
    names = BatchResponse.model_fields.keys() - {"dataset", "warnings"}
    values = {name: getattr(batch, name) for name in names}
    return BatchResponse.model_validate(
        {**values, "dataset": batch.dataset_id, "warnings": batch.warnings or []}
    )


EXAMPLE = {"dataset": "ds_sample_penguins", "version": "latest", "format": "csv"}
