"""What a job asks for its columns: the fields, and whether they fit the data set."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from core.embeddings import Embedding, dimensions_for
from core.levels import MAX_EMBEDDED
from service.kit.problems import FieldError, pointer
from service.kit.schemas import ColumnName, Request, Text
from service.tables import Json

ScalingName = Literal["standardize", "minmax", "robust", "quantile_normal", "log1p", "none"]
TargetScaling = Literal["standardize", "minmax", "log1p", "none"]
PartName = Literal["year", "month", "day", "weekday", "hour", "day_of_year"]
WIDEST_DATE = 11  # a year, and sine and cosine of five parts
_LISTED = {"ordinal", "frequency"}  # encodings that many levels fit into


class ColumnRequest(Request):
    """What is done with one column; what is left out is as for all."""

    scaling: ScalingName | None = Field(None, description="Of a column of numbers.")
    encoding: Literal["one_hot", "ordinal", "frequency", "embedding", "date"] | None = Field(
        None,
        description="Of a column of text. embedding: a learned table, a row a level. date: ISO "
        "8601, into its parts.",
    )
    missing: Literal["impute", "mean", "median", "constant", "indicator", "error"] | None = None
    unseen: Literal["other", "error"] | None = None
    fill: float | bool | Annotated[Text, Field(min_length=1, max_length=1024)] | None = Field(
        None, description="What stands in for a missing value; with missing: constant."
    )
    levels: list[Annotated[Text, Field(min_length=1, max_length=1024)]] | None = Field(
        None,
        min_length=2,
        max_length=10_000,
        description="With encoding: ordinal, the levels from first to last; default: sorted.",
    )
    dimensions: int | None = Field(
        None,
        ge=1,
        le=256,
        description="With encoding: embedding, of its table; default: 1.6 levels^0.56, at most 50.",
    )
    parts: list[PartName] | None = Field(
        None,
        min_length=1,
        max_length=6,
        description="With encoding: date; default: all, hour where there are times of day.",
    )


class PreprocessingRequest(Request):
    """What happens to the columns before the network sees them, fitted on the training rows."""

    scaling: ScalingName = Field(
        "standardize",
        description="Of numbers. robust: by median and quartiles. quantile_normal: by rank to a "
        "normal distribution. log1p: sign(x) ln(1 + |x|), standardised.",
    )
    encoding: Literal["one_hot", "ordinal", "frequency"] = Field(
        "one_hot",
        description="Of text: an input a level, or one input: the level's place in order, or how "
        "frequent it is.",
    )
    missing: Literal["impute", "mean", "median", "indicator", "error"] = Field(
        "impute",
        description="impute, mean: mean of numbers, most frequent level. median: of numbers. "
        "indicator: as impute, and an input that says so. error: refuse.",
    )
    unseen: Literal["other", "error"] = Field(
        "other", description="Levels not seen in training: other encodes as none of them, warned."
    )
    target_scaling: TargetScaling = Field(
        "standardize", description="Of a target of numbers; predictions are scaled back."
    )
    columns: dict[ColumnName, ColumnRequest] = Field(
        default_factory=dict, max_length=1000, description="Other choices for columns by name."
    )


def resolved(request: PreprocessingRequest) -> Json:
    """The choices as a job states them: for all, and what differs by column."""
    columns = {name: one.model_dump(mode="json", exclude_none=True)
               for name, one in request.columns.items()}  # fmt: skip
    return {**request.model_dump(mode="json", exclude={"columns"}), "columns": columns}


def faults(
    request: PreprocessingRequest, features: list[str], columns: Mapping[str, Json]
) -> list[FieldError]:
    """What of the choices by column does not fit the columns."""
    found = []
    for name, choice in request.columns.items():
        if name not in features:
            detail = "This column is not among the job's features."
            found.append(
                FieldError(pointer("preprocessing", "columns", name), detail, "no_feature")
            )
            continue
        for field, detail in _misfits(choice, columns[name]["type"], request.encoding):
            path = pointer("preprocessing", "columns", name, field)
            found.append(FieldError(path, detail, "choice_mismatch"))
    return found


def _misfits(choice: ColumnRequest, kind: str, encoding: str) -> Iterator[tuple[str, str]]:
    """Fields of one column's choice that do not fit its type, and why."""
    if choice.scaling is not None and kind != "number":
        yield "scaling", "Scaling is for columns of numbers; this one has levels."
    if choice.encoding is not None and kind in ("number", "boolean"):
        yield "encoding", f"Encodings are for columns of text; this is a {kind}."
    if (choice.fill is None) is (choice.missing == "constant"):
        yield "fill", "Give it with missing: constant, and only then."
    elif choice.fill is not None and not isinstance(choice.fill, _FILLS[kind]):
        yield "fill", f"Expected a value of the column's type, {kind}."
    yield from _encoding_misfits(choice, choice.encoding or encoding)


def _encoding_misfits(choice: ColumnRequest, used: str) -> Iterator[tuple[str, str]]:
    """Fields that another encoding than the one in use reads."""
    if choice.levels is not None:
        if used != "ordinal":
            yield "levels", "An order of levels is for encoding: ordinal."
        elif len(set(choice.levels)) < len(choice.levels):
            yield "levels", "A level is named twice."
    if choice.dimensions is not None and used != "embedding":
        yield "dimensions", "Dimensions are for encoding: embedding."
    if choice.parts is not None and used != "date":
        yield "parts", "Parts are for encoding: date."
    if choice.missing == "constant" and used == "date":
        yield "missing", "No date can stand in for a missing one; use impute, indicator or error."


_FILLS: dict[str, type] = {"number": float, "boolean": bool, "category": str, "text": str}


def usable_text(request: PreprocessingRequest, name: str) -> bool:
    """Whether a column of more levels than have an input each goes in another way."""
    choice = request.columns.get(name)
    encoding = choice.encoding if choice is not None and choice.encoding else request.encoding
    return choice is not None and encoding in _LISTED | {"date", "embedding"}


def width(request: PreprocessingRequest, columns: list[Json]) -> int:
    """Inputs of the network, at most: one a number or boolean, one a level of a category that is
    not encoded as one, those of a date's parts, and one a column that tells of missing values.
    """
    return sum(_width(request, column) for column in columns)


def _width(request: PreprocessingRequest, column: Json) -> int:
    choice = request.columns.get(column["name"], ColumnRequest())
    missing, encoding = choice.missing or request.missing, choice.encoding or request.encoding
    flag = missing == "indicator"
    if column["type"] in ("number", "boolean") or encoding in _LISTED:
        return 1 + flag
    if encoding == "date":
        return WIDEST_DATE + flag
    if encoding == "embedding":
        distinct = column["distinct"] or MAX_EMBEDDED
        return min(int(distinct), MAX_EMBEDDED) + 1
    return int(column["distinct"]) + (missing == "constant") + flag


def embeddings(request: PreprocessingRequest, columns: list[Json]) -> tuple[Embedding, ...]:
    """Those of the features, in order, as large as they can get."""
    found, start = [], 0
    for column in columns:
        width, choice = _width(request, column), request.columns.get(column["name"])
        if choice is not None and choice.encoding == "embedding":
            dimensions = choice.dimensions or dimensions_for(width)
            found.append(Embedding(start, width, dimensions))
        start += width
    return tuple(found)
