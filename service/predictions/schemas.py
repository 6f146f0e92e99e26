"""Predictions as they come in and go out: the documented shape of what the routes read."""

from typing import Any

from pydantic import Field

from service.kit.schemas import Request, Response

Cell = float | str | bool | None


class PredictRequest(Request):
    """Rows to predict, as records by column name or as arrays in signature order."""

    rows: list[dict[str, Cell]] | list[list[Cell]] = Field(min_length=1)
    top_k: int | None = Field(
        None,
        ge=1,
        description="Probabilities of so many classes only, the likeliest first. For classes.",
    )
    threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="The second label is predicted from this probability on, the first below; "
        "otherwise the likelier of them. For models with two classes, and for multilabel.",
    )
    coverage: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Adds the set of labels, or the interval, that holds the truth at least this "
        "often, by split-conformal prediction.",
    )
    calibrated: bool | None = Field(
        None,
        description="Probabilities at the temperature that validation taught. For classes.",
    )


class Prediction(Response):
    """`label` and `probabilities` for classes, `value` for numbers; with `coverage` a `set` of
    labels, or an `interval` whose ends are null where nothing bounds them. Of several targets
    `values`, or `labels` and the `probabilities` of the second of each one's labels, by target;
    with `coverage` `intervals` or `sets`. Of several quantiles `quantiles` by level.
    """

    label: Any = None
    probabilities: dict[str, float] | None = None
    value: float | None = None
    set: list[Any] | None = None
    interval: tuple[float | None, float | None] | None = None
    values: dict[str, float] | None = None
    labels: dict[str, Any] | None = None
    intervals: dict[str, tuple[float | None, float | None]] | None = None
    sets: dict[str, list[Any]] | None = None
    quantiles: dict[str, float] | None = None


class PredictWarning(Response):
    """Something about the rows that the model met in a documented way."""

    code: str
    column: str
    count: int
    message: str


class PredictResponse(Response):
    """One prediction a row, in order."""

    model: str
    version: int
    predictions: list[Prediction]
    warnings: list[PredictWarning]


EXAMPLE = {
    "rows": [
        {
            "island": "Biscoe",
            "bill_length_mm": 46.1,
            "bill_depth_mm": 13.2,
            "flipper_length_mm": 211,
            "body_mass_g": 4500,
            "sex": "female",
            "year": 2007,
        }
    ]
}
CSV_EXAMPLE = (
    "island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
    "Biscoe,46.1,13.2,211,4500,female,2007\n"
    "Torgersen,39.1,18.7,181,3750,,2007\n"
)
