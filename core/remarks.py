"""What is said of values in columns: warnings for what has an answer, errors for what has none."""

from typing import Any

from core.errors import MissingValue, NonFinite, UnseenLevel, WrongType

Warning_ = dict[str, Any]


def out_of_range(name: str, count: int) -> Warning_:
    """The warning that numbers or dates lie beyond those of the training rows."""
    message = f"Column {name}: {count} beyond the range seen in training; the model extrapolates."
    return {"code": "out_of_range", "column": name, "count": count, "message": message}


def unseen_levels(name: str, count: int) -> Warning_:
    """The warning that levels are none of the training rows'."""
    message = f"Column {name}: {count} with a level not seen in training, treated as none of them."
    return {"code": "unseen_level", "column": name, "count": count, "message": message}


def missing_value(name: str, row: int) -> MissingValue:
    """The error for a missing value where none may be."""
    message = "A value is missing; fill it in, or train with missing values imputed."
    return MissingValue(message, column=name, row=row)


def non_finite(name: str, row: int) -> NonFinite:
    """The error for a number that float32 cannot hold once it is scaled."""
    message = "Expected a finite number of ordinary size; correct or remove it."
    return NonFinite(message, column=name, row=row)


def unseen_level(name: str, row: int) -> UnseenLevel:
    """The error for a level that is none of the training rows'."""
    message = "Expected one of the levels seen in training; the model's signature lists them."
    return UnseenLevel(message, column=name, row=row)


def no_date(name: str, row: int) -> WrongType:
    """The error for a text that is no date."""
    message = "Expected a date as ISO 8601 writes it: 2024-02-29 or 2024-02-29T13:45."
    return WrongType(message, column=name, row=row)


def no_value(name: str) -> MissingValue:
    """The error for a column without any value to learn from."""
    message = "This column has no value in any training row; leave it out of the features."
    return MissingValue(message, column=name)
