"""One batch, in a process of its own: `python -m service.batches.child`, the assignment on stdin.

Knows no database. Says a line of JSON on stdout for every block of rows and one at the end. The
same model and table give the same bytes, so whoever runs it again comes to the same file.
"""

import ctypes
import hashlib
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import msgspec

from core.errors import DataError, ModelInvalid
from core.files import load
from service.batches.messages import Assignment, Done, Message, Progress, Refused
from service.predictions.tables import predict_table


def run(assignment: Assignment, out: IO[bytes]) -> None:
    """Predict; the last line said is Done or Refused."""

    def say(message: Message) -> None:
        out.write(msgspec.json.encode(message) + b"\n")
        out.flush()

    try:
        say(_predict(assignment, lambda rows: say(Progress(rows))))
    except DataError as error:
        say(Refused(error.code, str(error), error.column, error.row))
    except (OSError, ModelInvalid):
        message = "The file of the model or of the data set is missing or damaged."
        say(Refused("unreadable", message))


def _predict(assignment: Assignment, on_block: Callable[[int], None]) -> Done:
    content = Path(assignment.model_path).read_bytes()
    if hashlib.sha256(content).hexdigest() != Path(assignment.model_path).stem:
        raise ModelInvalid("its checksum does not fit")
    destination = Path(assignment.destination)
    outcome = predict_table(
        load(content),
        Path(assignment.dataset_path),
        destination,
        assignment.format,
        threshold=assignment.threshold,
        on_block=on_block,
    )
    with destination.open("rb") as file:
        os.fsync(file.fileno())
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Done(outcome.rows, destination.stat().st_size, sha256, outcome.warnings)


def _end_with_agent() -> None:
    """SIGKILL when the agent goes: no orphans (prctl(2)). Predictions over HTTP come first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    os.nice(5)


if __name__ == "__main__":
    _end_with_agent()
    run(msgspec.json.decode(sys.stdin.buffer.read(), type=Assignment), sys.stdout.buffer)
