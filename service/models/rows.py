"""What a row of one model looks like: as JSON Schema, and as an example that predicts."""

from typing import Any, Literal

from pydantic import BaseModel

from core.model import Model

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]


class Policies(BaseModel):
    """What a model does with values that training did not prepare it for."""

    missing: Literal["impute", "error"]
    unseen: Literal["other", "error"]


def policies_of(model: Model) -> Policies:
    """Those the model was trained with."""
    return Policies(missing=model.preprocessor.missing, unseen=model.preprocessor.unseen)


def schema(signature: Json, policies: Policies, address: str) -> Json:
    """A row as a record: JSON Schema, 2020-12.

    It accepts what the model answers and refuses what it refuses. What is answered with a
    warning (numbers out of range, unseen levels) is accepted; `x-range` and `x-levels` say what
    training has seen.
    """
    columns = {one["name"]: column(one, policies) for one in signature["features"]}
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


def column(feature: Json, policies: Policies) -> Json:
    """One column as JSON Schema."""
    kind = {"number": "number", "category": "string", "boolean": "boolean"}[feature["type"]]
    found: Json = {"type": kind}
    if policies.missing == "impute":
        found["type"] = [kind, "null"]
    if feature["type"] == "number":
        low, high = feature["min"], feature["max"]
        found["x-range"] = [low, high]
        found["description"] = f"In training {low:g} to {high:g}; beyond that it extrapolates."
    elif feature["type"] == "category":
        levels = list(feature["levels"])
        found["x-levels"] = levels
        if policies.unseen == "error":
            found["enum"] = levels + ([None] if policies.missing == "impute" else [])
            found["description"] = "One of the levels of training."
        else:
            found["description"] = "Other levels than those of training count as none of them."
    if policies.missing == "impute":
        filled = {"number": "the mean", "category": "the most frequent level"}
        by = filled.get(feature["type"], "the more frequent value")
        found["description"] = f"{found.get('description', '')} null: not known, {by} is used."
        found["description"] = found["description"].strip()
    found["examples"] = [value(feature)]
    return found


def example(signature: Json) -> Json:
    """A row that predicts without a warning."""
    return {feature["name"]: value(feature) for feature in signature["features"]}


def value(feature: Json) -> Any:
    """A value that training has seen, or one between."""
    if feature["type"] == "boolean":
        return True
    if feature["type"] == "category":
        return feature["levels"][0]
    return rounded(feature["mean"], feature["min"], feature["max"])


def rounded(mean: float, low: float, high: float) -> float:
    """The mean with as few digits as stay inside the range."""
    for digits in (3, 4, 6, 9):
        short = float(f"{mean:.{digits}g}")
        if low <= short <= high:
            return int(short) if short.is_integer() and abs(short) < 2**53 else short
    return mean
