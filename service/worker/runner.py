"""One job, in a process of its own: table in, trained model out. Knows no database."""

import ctypes
import dataclasses
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

import core
from core import baselines, metrics
from core.errors import DataError
from core.files import dump
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor, Table
from core.splits import split
from core.targets import Target, fit_target
from core.training import Epoch, Fit, Recipe
from service.datasets.reading import read_table
from service.jobs.resolution import LINKS
from service.jobs.messages import (
    Advanced,
    Assignment,
    Failed,
    Message,
    Trained,
    decode_assignment,
    encode,
)

STEP_SECONDS = 0.1  # how long compiled code runs between two reports


def main(pipe: Connection) -> None:
    """Entry of the child: read the assignment, report until the end."""
    _die_with_parent()
    assignment = decode_assignment(pipe.recv_bytes())
    for message in run(assignment):
        pipe.send_bytes(encode(message))
    pipe.close()


def _die_with_parent() -> None:
    """SIGKILL when the forkserver goes, which goes with its agent: no orphan trains on (prctl(2))."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    os.nice(5)  # predictions come first


def run(assignment: Assignment) -> Iterator[Message]:
    """Train; the last message is Trained or Failed."""
    try:
        yield from _train(assignment)
    except DataError as error:
        yield Failed([], "dataset_invalid", str(error), None)
    except MemoryError:
        yield Failed([], "memory_exceeded", "Training needs more memory than there is.", None)


def _train(assignment: Assignment) -> Iterator[Message]:
    started = time.monotonic()
    spec = assignment.spec
    table = read_table(Path(assignment.dataset_path), [*spec["features"], spec["target"]])
    target, y, present = fit_target(table[spec["target"]], spec["task"], name=spec["target"])
    fraction = (spec["training"]["validation"] or {}).get("fraction")
    parts = split(
        y, present, fraction=fraction, classes=spec["task"] != "regression", seed=spec["seed"]
    )
    target = target.fitted(y[parts.train])
    preprocessor = Preprocessor.fit(
        table, spec["features"], rows=parts.train, **spec["preprocessing"]
    )
    matrix, _ = preprocessor.transform(table)
    network = _network(spec, preprocessor, target)
    encoded = target.encode(y)
    validation = (matrix[parts.validation], encoded[parts.validation]) if fraction else None
    fit = Fit(
        network, recipe(spec), matrix[parts.train], encoded[parts.train], validation=validation
    )

    yield from ()
    raise NotImplementedError


def recipe(spec: dict[str, Any]) -> Recipe:
    """The training part of a resolved job, as the core wants it."""
    training = spec["training"]
    stopping = training["early_stopping"] or {}
    optimizer = dict(training["optimizer"])
    return Recipe(
        loss=training["loss"],
        optimizer=optimizer.pop("name"),
        **optimizer,
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        l2=training["l2"],
        clip=training["clip"],
        patience=stopping.get("patience"),
        min_delta=stopping.get("min_delta", 0.0),
        seed=spec["seed"],
    )
