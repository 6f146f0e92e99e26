"""What is wrong with a question, in the one form that the protocol's clients read."""

from pydantic import Field

from core.errors import DataError
from service.kit.dialects import DIALECTS, Dialect
from service.kit.problems import Problem
from service.kit.schemas import Response

PREFIX = "/v2"


class ErrorResponse(Response):
    """Any failure, whatever its status."""

    error: str = Field(description="What was expected where, and what to do.")


def refused(detail: str) -> Problem:
    """400. Names the tensor, never a value."""
    return Problem("inference-invalid", detail)


def refused_data(error: DataError) -> Problem:
    """400 for cells that the model cannot take, naming row and column."""
    column = "" if error.column is None else f"input {error.column!r}"
    row = "" if error.row is None else f"row {error.row}"
    where = ", ".join(part for part in (column, row) if part)
    return refused(f"{where}: {error}" if where else str(error))


DIALECTS.append(Dialect(PREFIX, ErrorResponse, lambda problem: {"error": problem.detail}))
