"""From a body's bytes to the answer's: the plain way where it goes, and the one that explains."""

from copy import deepcopy
from typing import Any

import msgspec
import orjson

from core.errors import DataError
from core.model import Prediction
from service.kit.bodies import fields_problem, may_have_twins, parse_json, refuse_twins
from service.kit.problems import FieldError, Problem, pointer
from service.models.shelf import Shelved
from service.predictions.plan import Body, Options
from service.predictions.schemas import PredictRequest
from service.predictions.shaping import Answers, misfit, shape
from service.settings import Settings
from service.state import State

SMALL_BYTES = 1 << 16  # a larger body is computed in a thread, so that others are not kept waiting
_decode = msgspec.json.Decoder(Body).decode


def plain_answer(state: State, shelved: Shelved, raw: bytes) -> bytes | None:
    """The answer to a body without any fault; None for one that has to be looked at closely.

    Raises DataError for a row that the model refuses.
    """
    plan = state.plans.of(shelved.model)
    if plan is None:
        return None
    question = plan.read(raw)
    if question is None:
        return None
    rows, options = question
    if not 0 < len(rows) <= state.settings.max_predict_rows:
        return None
    if options is not None and misfit(options, shelved.model) is not None:
        return None
    answers, warnings = shelved.model.answer(rows)
    if shelved.shadows:  # what the options leave of an answer is for its caller alone
        state.shadows.note(shelved, rows, answers if options is None else deepcopy(answers))
    return _written(shelved, answers, warnings, options)


def answer(state: State, shelved: Shelved, raw: bytes) -> bytes:
    """The answer. Raises Problem with what is wrong with the body, or with which row."""
    try:
        found = plain_answer(state, shelved, raw)
    except DataError as error:
        raise rows_invalid(error) from None
    if found is not None:
        return found
    body = _read(raw, state.settings)
    wrong = misfit(body, shelved.model)
    if wrong is not None:
        raise wrong
    try:
        prediction = shelved.model.predict_records(body.rows)
    except DataError as error:
        raise rows_invalid(error) from None
    if shelved.shadows:
        state.shadows.note(shelved, body.rows, shelved.model.listed(prediction))
    return written(shelved, prediction, body)


def written(shelved: Shelved, prediction: Prediction, options: Options | None = None) -> bytes:
    """A prediction as the route answers it."""
    return _written(shelved, shelved.model.listed(prediction), prediction.warnings, options)


def _written(
    shelved: Shelved, answers: Answers, warnings: list[dict[str, Any]], options: Options | None
) -> bytes:
    if options is not None:
        answers = shape(answers, options, shelved.model)
    return orjson.dumps(
        {
            "model": shelved.name,
            "version": shelved.version,
            "predictions": answers,
            "warnings": warnings,
        }
    )


def _read(raw: bytes, settings: Settings) -> Body:
    """The body. Raises 400 or 422 in the words of every other route."""
    try:
        body = _decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        body = None
    if body is None or not body.rows:
        parse_json(PredictRequest, raw)
        raise fields_problem([(("rows",), "Expected a list of records or of arrays.", "list_type")])
    keys = 1 + body.given
    if may_have_twins(raw, keys + sum(len(row) for row in body.rows if isinstance(row, dict))):
        refuse_twins(raw)
    if len(body.rows) > settings.max_predict_rows:
        sentence = f"At most {settings.max_predict_rows} rows at once."
        raise fields_problem([(("rows",), sentence, "too_long")])
    return body


def rows_invalid(error: DataError) -> Problem:
    """422 that names row and column."""
    parts = ["rows", *(part for part in (error.row, error.column) if part is not None)]
    found = FieldError(pointer(*parts), str(error), error.code)
    return Problem("rows-invalid", str(error), [found])
