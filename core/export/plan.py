"""A model as plain data: what each column goes through, the layers, the answer. The JSON export is
this plan; every other format says the same in its own language.
"""

from collections.abc import Callable
from typing import Any

from core.dates import DateFeature
from core.errors import ModelInvalid
from core.features import Feature
from core.levels import LevelFeature, LookupFeature
from core.model import Model
from core.network import Dense
from core.numeric import NumberFeature
from core.several import Quantiles, Several
from core.targets import Classes, Target

FORMAT = "sigmoid-model"
VERSION = 1
Plan = dict[str, Any]


class NotExportable(ModelInvalid):
    """The format has no way to say what this model does."""


def plan_of(model: Model, title: dict[str, Any]) -> Plan:
    """The plan of a model. title: name, version and sha256 of its file, as far as they are known.

    weights: (inputs, units) as nested lists of the shortest decimals that give the same float32.
    """
    return {
        "format": FORMAT,
        "format_version": VERSION,
        **title,
        "task": model.task,
        "target": _target(model),
        "features": [_feature(feature) for feature in model.preprocessor.features],
        "layers": [_layer(layer) for layer in model.network.dense(model.theta)],
        "link": model.network.link,
    }


def _target(model: Model) -> dict[str, Any]:
    target, named = model.target, {"name": model.target_name}
    if isinstance(target, Several):
        parts = [_part(part) for part in target.parts]
        return {**named, "kind": target.kind, "columns": list(target.columns), "parts": parts}
    if isinstance(target, Quantiles):
        return {**named, **_part(target.of), "quantiles": list(target.keys)}
    return {**named, **_part(target)}


def _part(target: Target) -> dict[str, Any]:
    if isinstance(target, Classes):
        return {"kind": target.kind, "labels": list(target.labels), "names": list(target.names)}
    return {
        "kind": "number",
        "curve": target.curve.name,
        "mean": target.mean,
        "scale": target.scale,
    }


def _layer(layer: Dense) -> dict[str, Any]:
    return {
        "weights": [[_decimal(cell) for cell in row] for row in layer.weights],
        "biases": [_decimal(cell) for cell in layer.biases],
        "activation": layer.activation,
        "alpha": float(layer.alpha),
    }


def _decimal(cell: Any) -> float:
    """The float whose shortest text is that of the float32 (or of the float64 that it is)."""
    return float(str(cell))


def _feature(feature: Feature) -> dict[str, Any]:
    common = {
        "name": feature.name,
        "indicator": feature.indicator,
        "refuse_missing": feature.missing == "error",
    }
    return common | FEATURES[type(feature)](feature)


def _number(feature: NumberFeature) -> dict[str, Any]:
    return {
        "kind": "number",
        "curve": feature.curve.to_dict(),
        "offset": feature.offset,
        "scale": feature.scale,
        "fill": feature.filling,
        "minimum": feature.minimum,
        "maximum": feature.maximum,
    }


def _levels(feature: LevelFeature) -> dict[str, Any]:
    return {
        "kind": "boolean" if feature.type == "boolean" else "one_hot",
        "levels": list(feature.levels),
        "fill": feature.most_frequent,
        "refuse_unseen": feature.unseen == "error",
    }


def _lookup(feature: LookupFeature) -> dict[str, Any]:
    return {
        "kind": "lookup",
        "levels": list(feature.levels),
        "values": list(feature.values),
        "other": feature.other,
        "fill": feature.most_frequent,
        "refuse_unseen": feature.unseen == "error",
    }


def _date(feature: DateFeature) -> dict[str, Any]:
    return {
        "kind": "date",
        "parts": list(feature.parts),
        "offset": feature.offset,
        "scale": feature.scale,
        "minimum": feature.minimum,
        "maximum": feature.maximum,
    }


FEATURES: dict[type, Callable[[Any], dict[str, Any]]] = {
    NumberFeature: _number,
    LevelFeature: _levels,
    LookupFeature: _lookup,
    DateFeature: _date,
}
KINDS = ("number", "boolean", "one_hot", "lookup", "date")
