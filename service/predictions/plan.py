"""How a model's plain questions are read: JSON straight into typed rows, in signature order.

Everything a body may be but plain (unknown fields, cells of other types, keys given twice) is left
to the reader that says what is wrong with it.
"""

from collections.abc import Callable, Sequence
from typing import Annotated, Any
from weakref import WeakKeyDictionary

import msgspec

from core.model import Model
from service.kit.bodies import may_have_twins

Row = tuple[Any, ...]
_CELLS: dict[str, Any] = {
    "number": float | None,
    "category": str | None,
    "boolean": bool | None,
    "date": str | None,
}
_astuple: Callable[[Any], Row] = msgspec.structs.astuple


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What a question may ask for besides the rows. See PredictRequest."""

    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = None
    threshold: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    coverage: Annotated[float, msgspec.Meta(gt=0, lt=1)] | None = None
    calibrated: bool | None = None

    @property
    def given(self) -> int:
        """How many of them are asked for."""
        options = (self.top_k, self.threshold, self.coverage, self.calibrated)
        return len(options) - options.count(None)


class Body(Options, gc=True):
    """Any question; the model's own reader checks every cell."""

    rows: list[dict[str, Any] | list[Any]]


class Plan:
    """Made once a model: a decoder whose types are the model's own columns."""

    def __init__(self, features: Sequence[dict[str, Any]]) -> None:
        cells = [_CELLS[feature["type"]] for feature in features]
        columns = {f"c{position}": feature["name"] for position, feature in enumerate(features)}
        record: Any = msgspec.defstruct(
            "Record",
            list(zip(columns, cells, strict=True)),
            rename=columns,
            forbid_unknown_fields=True,
            gc=False,
        )
        array: Any = tuple[tuple(cells)]  # type: ignore[misc]  # as many cells as columns
        body: Any = msgspec.defstruct("Body", [("rows", list[record | array])], bases=(Options,))
        self._decode = msgspec.json.Decoder(body).decode
        self._width = len(cells)

    def read(self, raw: bytes) -> tuple[list[Row], Options | None] | None:
        """The rows of a body in signature order, each cell of its column's type or None, and
        the options if there are any. None for whatever is not plain.
        """
        try:
            body = self._decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        rows, keys = body.rows, 1
        for position, row in enumerate(rows):
            if type(row) is not tuple:
                rows[position] = _astuple(row)
                keys += self._width
        if not may_have_twins(raw, keys):
            return rows, None
        given = body.given
        return (rows, body) if given and not may_have_twins(raw, keys + given) else None


class Plans:
    """The plans of the models in memory; each goes with its model."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Model, Plan | None] = WeakKeyDictionary()

    def of(self, model: Model) -> Plan | None:
        """The model's plan; None when a column's type or name has no plain form."""
        try:
            return self._known[model]
        except KeyError:
            features = model.signature()["features"]
            is_plain = all(feature["type"] in _CELLS for feature in features)
            try:
                plan = Plan(features) if is_plain else None
            except ValueError:  # a name with a quote in it cannot be a field of msgspec's
                plan = None
            self._known[model] = plan
            return plan
