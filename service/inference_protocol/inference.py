"""One inference: bytes in, bytes out, a model between."""

import time

from core.columns import row_count
from core.errors import DataError
from service.inference_protocol.errors import refused, refused_data
from service.inference_protocol.outputs import Answer, write_answer
from service.inference_protocol.questions import read_question
from service.inference_protocol.statistics import Statistics
from service.inference_protocol.tables import to_table
from service.kit.problems import Problem
from service.models.shelf import Shelved


def infer(
    shelved: Shelved, raw: bytes, header_length: str | None, most_rows: int, statistics: Statistics
) -> Answer:
    """Answer a body. Raises Problem inference-invalid."""
    start = time.monotonic_ns()
    try:
        question = read_question(raw, header_length)
        table = to_table(shelved.model, question.inputs)
        rows = row_count(next(iter(table.values())))
        if rows > most_rows:
            raise refused(f"at most {most_rows} rows at once")
        read = time.monotonic_ns()
        prediction = shelved.model.predict(table)
        inferred = time.monotonic_ns()
        found = write_answer(
            question, shelved.model, shelved.name, shelved.version, prediction, rows
        )
    except (DataError, Problem) as error:
        statistics.failed(shelved.name, shelved.version, time.monotonic_ns() - start)
        raise refused_data(error) if isinstance(error, DataError) else error from None
    marks = (start, read, inferred, time.monotonic_ns())
    statistics.succeeded(shelved.name, shelved.version, rows, marks)
    return found
