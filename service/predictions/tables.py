"""Predictions of a whole table: a stored file in, a file of predictions out, in bounded memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from core.columns import Category, Column, Numeric, Table, row_count
from core.errors import DataError, MissingColumn, WrongType
from core.features import Feature, NumberFeature
from core.model import Model, Prediction
from service.datasets.columns import Token, tokens
from service.datasets.reading import Kinds, read_blocks
from service.predictions.writers import Format, Writer

BLOCK = 16_384  # rows at a time


@dataclass(frozen=True)
class Outcome:
    """How many rows were predicted, and what to know about them."""

    rows: int
    warnings: list[dict[str, Any]]


def predict_table(
    model: Model,
    source: Path,
    destination: Path,
    form: Format,
    *,
    threshold: float | None = None,
    on_block: Callable[[int], None] = lambda rows: None,
) -> Outcome:
    """Predict all rows of a stored table, in order. on_block hears how many are done.

    Columns that the model does not ask for are left alone. Raises DataError naming row and
    column; what is at `destination` is then of no use.
    """
    features = {feature.name: feature for feature in model.preprocessor.features}
    done, counts = 0, dict.fromkeys(features, 0)
    with Writer(destination, model, form) as writer:
        for block in read_blocks(source, list(features), rows=BLOCK):
            try:
                prediction = model.predict(fitted(block, features))
            except DataError as error:
                error.row = None if error.row is None else error.row + done
                raise
            writer.write(_decided(prediction, threshold))
            for warning in prediction.warnings:
                counts[warning["column"]] += warning["count"]
            done += row_count(next(iter(block.values())))
            on_block(done)
    noted = [features[name].remark(count) for name, count in counts.items() if count]
    return Outcome(done, noted)


def _decided(prediction: Prediction, threshold: float | None) -> Prediction:
    if threshold is None or prediction.probabilities is None:
        return prediction
    shares, labels = prediction.probabilities, prediction.labels
    several = labels is not None and labels.ndim > 1
    second = shares if several else shares[:, 1]
    labels = (second >= threshold).astype(np.int64)
    return replace(prediction, labels=labels)


def fitted(block: Table, features: Mapping[str, Feature]) -> Table:
    """The block's columns in the types of the model. Raises DataError naming the row."""
    for name in features:
        if name not in block:
            raise MissingColumn("The table lacks this column; add it.", column=name)
    return {name: _column(feature, block[name]) for name, feature in features.items()}


def _column(feature: Feature, column: Column) -> Column:
    is_number = isinstance(feature, NumberFeature)
    if is_number == isinstance(column, Numeric):
        return column
    if isinstance(column, Numeric):
        present = ~np.isnan(column.values)
        if not present.any():  # a column of nothing but missing values is of every type
            return Category(np.full(len(present), -1, np.int32), ())
        raise _wrong(feature, "a number", int(present.argmax()))
    if not (column.codes >= 0).any():
        return Numeric(np.full(len(column.codes), np.nan))
    if column.is_boolean:
        raise _wrong(feature, "a boolean", int((column.codes >= 0).argmax()))
    return _no_number(feature, column)


def _no_number(feature: Feature, column: Category) -> Column:
    """Raise for the first text that is no number. There may be none in this block of a column
    that is text because of another: then its numbers.
    """
    levels = pa.array(column.levels, pa.string())
    is_number = np.append(tokens(levels) == Token.NUMBER, True)
    fits = is_number[column.codes]  # -1, a missing one, takes the last
    if not fits.all():
        raise _wrong(feature, "text", int(fits.argmin()))
    known = zip(column.levels, is_number[:-1], strict=True)
    values = [float(level) if number else np.nan for level, number in known]
    return Numeric(np.array([*values, np.nan])[column.codes])


def _wrong(feature: Feature, got: str, row: int) -> WrongType:
    message = f"Expected {feature.expected}, or nothing where it is missing; got {got}."
    return WrongType(message, column=feature.name, row=row)


def wanted_kinds(model: Model) -> Callable[[Kinds], Kinds]:
    """For `convert`: columns of CSV are text where the model wants text, however they look."""
    texts = {
        feature.name
        for feature in model.preprocessor.features
        if feature.type in ("category", "date")
    }
    return lambda kinds: {name: "text" if name in texts else kind for name, kind in kinds.items()}
