"""What a row of one model looks like: as JSON Schema, and as an example that predicts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.model import Model

DATE = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?$"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]


@dataclass(frozen=True)
class Policy:
    """What a column does with values that training did not prepare it for."""

    takes_missing: bool
    takes_unseen: bool


Policies = dict[str, Policy]


def policies_of(model: Model) -> Policies:
    """Those the model was trained with, by column."""
    return {
        feature.name: Policy(
            takes_missing=feature.missing != "error",
            takes_unseen=getattr(feature, "unseen", "other") != "error",
        )
        for feature in model.preprocessor.features
    }


def schema(signature: Json, policies: Policies, address: str) -> Json:
    """A row as a record: JSON Schema, 2020-12.

    It accepts what the model answers and refuses what it refuses. What is answered with a
    warning (numbers out of range, unseen levels) is accepted; `x-range` and `x-levels` say what
    training has seen.
    """
    columns = {one["name"]: column(one, policies[one["name"]]) for one in signature["features"]}
    return {
        "$schema": DIALECT,
        "$id": address,
        "title": f"A row to predict {signature['target']['name']} from",
        "type": "object",
        "properties": columns,
        "required": list(columns),
        "additionalProperties": False,
        "examples": [example(signature)],
    }


def column(feature: Json, policy: Policy) -> Json:
    """One column as JSON Schema."""
    found = _DESCRIBED[feature["type"]](feature)
    if feature["type"] == "category" and not policy.takes_unseen:
        found["enum"] = [*feature["levels"], *([None] if policy.takes_missing else [])]
        found["description"] = "One of the levels of training."
    if policy.takes_missing:
        found["type"] = [found["type"], "null"]
        found["description"] += " null: not known."
    return {**found, "examples": [value(feature)]}


def _number(feature: Json) -> Json:
    low, high = feature["min"], feature["max"]
    text = f"In training {low:g} to {high:g}; beyond that it extrapolates."
    return {"type": "number", "description": text, "x-range": [low, high]}


def _category(feature: Json) -> Json:
    text = "Other levels than those of training count as none of them."
    return {"type": "string", "description": text, "x-levels": list(feature["levels"])}


def _boolean(feature: Json) -> Json:
    return {"type": "boolean", "description": "true or false."}


def _date(feature: Json) -> Json:
    low, high = feature["earliest"], feature["latest"]
    text = f"A date by ISO 8601, with or without a time. In training {low} to {high}."
    return {"type": "string", "description": text, "pattern": DATE, "x-range": [low, high]}


_DESCRIBED: dict[str, Callable[[Json], Json]] = {
    "number": _number,
    "category": _category,
    "boolean": _boolean,
    "date": _date,
}


def example(signature: Json) -> Json:
    """A row that predicts without a warning."""
    return {feature["name"]: value(feature) for feature in signature["features"]}


def value(feature: Json) -> Any:
    """A value that training has seen, or one between."""
    if feature["type"] == "boolean":
        return True
    if feature["type"] == "category":
        return feature["levels"][0]
    if feature["type"] == "date":
        return feature["earliest"]
    return rounded(feature["mean"], feature["min"], feature["max"])


def rounded(mean: float, low: float, high: float) -> float:
    """The mean with as few digits as stay inside the range."""
    for digits in (3, 4, 6, 9):
        short = float(f"{mean:.{digits}g}")
        if low <= short <= high:
            return int(short) if short.is_integer() and abs(short) < 2**53 else short
    return mean
