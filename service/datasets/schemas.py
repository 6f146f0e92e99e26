"""Data sets as they come in and go out."""

from typing import Any, Literal

from pydantic import Field

from service.kit.schemas import JsonObject, Moment, Request, Response


class GenerateRequest(Request):
    """An artificial data set; equal requests give equal bytes."""

    kind: Literal["linear", "xor", "circles", "moons", "spirals", "blobs", "friedman"] = Field(
        description="linear is y = 2x + 1 + noise; the others are classics of the field."
    )
    rows: int = Field(200, ge=10, le=100_000)
    noise: float = Field(0.1, ge=0, le=10)
    seed: int = Field(0, ge=0, le=2**53 - 1)


class LevelCount(Response):
    """How often one level occurs."""

    value: str
    count: int


class Histogram(Response):
    """Counts between edges; one more edge than counts."""

    edges: list[float]
    counts: list[int]


class Column(Response):
    """One column's type and profile."""

    name: str
    type: Literal["number", "boolean", "category", "text"]
    integer: bool = False
    missing: int
    distinct: int | None = Field(description="null where there are too many to count exactly.")
    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[str, float] | None = None
    histogram: Histogram | None = None
    levels: list[LevelCount] | None = Field(None, description="The most frequent ones.")


class DatasetBrief(Response):
    """A data set without its profile."""

    id: str
    name: str
    rows: int
    sha256: str
    format: str
    bytes: int
    source: JsonObject | None
    created_at: Moment


class DatasetResponse(DatasetBrief):
    """A data set with what is known of each column."""

    columns: list[Column]
    warnings: list[JsonObject]


class RowsResponse(Response):
    """Rows as records."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    has_more: bool
