"""How one column becomes inputs of a network. One entry in FEATURES is a kind of feature.

A feature is a frozen dataclass with what was learned from the training rows. `encode` writes its
inputs, elementwise in the rows; `to_dict` and `from_dict` are its form in files.
"""

from typing import Any

from core.choices import Choice, Missing, Unseen
from core.columns import Category, Column, Indices
from core.dates import DateFeature, fit_dates
from core.errors import DataError
from core.levels import LevelFeature, LookupFeature, fit_levels
from core.numeric import Matrix, NumberFeature, Rows, fit_number
from core.remarks import Warning_

__all__ = ["Feature", "LevelFeature", "Matrix", "NumberFeature", "Rows", "Warning_"]

Feature = NumberFeature | LevelFeature | LookupFeature | DateFeature

# By the `type` of the feature's file.
FEATURES: dict[str, type[NumberFeature | LevelFeature | LookupFeature | DateFeature]] = {
    "number": NumberFeature,
    "category": LevelFeature,
    "boolean": LevelFeature,
    "ordinal": LookupFeature,
    "frequency": LookupFeature,
    "date": DateFeature,
}


def fit_feature(name: str, column: Column, rows: Indices, choice: Choice) -> Feature:
    """Learn a feature from the training rows of its column.

    Raises DataError naming the column, and the row of the table where one is to blame.
    """
    try:
        if not isinstance(column, Category):
            return fit_number(name, column.values[rows], choice)
        if choice.encoding == "date" and not column.is_boolean:
            return fit_dates(name, column, rows, choice)
        return fit_levels(name, column, rows, choice)
    except DataError as error:
        error.row = None if error.row is None else int(rows[error.row])
        raise


def feature_to_dict(feature: Feature, missing: Missing, unseen: Unseen) -> dict[str, Any]:
    """As JSON; policies are told where they are not the given ones."""
    found = feature.to_dict()
    if feature.missing != missing:
        found["missing"] = feature.missing
    if isinstance(feature, LevelFeature | LookupFeature) and feature.unseen != unseen:
        found["unseen"] = feature.unseen
    return found


def feature_from_dict(data: dict[str, Any], missing: Missing, unseen: Unseen) -> Feature:
    """From JSON, with the policies of the whole where the feature tells none.

    Raises KeyError, TypeError or ValueError for anything else.
    """
    if not isinstance(data["name"], str):
        raise TypeError("a name is text")
    missing, unseen = data.get("missing", missing), data.get("unseen", unseen)
    if missing not in ("impute", "error") or unseen not in ("other", "error"):
        raise ValueError("unknown policy")
    kind = FEATURES[data["type"]]
    if issubclass(kind, LevelFeature | LookupFeature):
        return kind.from_dict(data, missing=missing, unseen=unseen)
    return kind.from_dict(data, missing=missing)
