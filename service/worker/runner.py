"""One job, in a process of its own: table in, trained model out. Knows no database."""

import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from core.appraisal import Judged, appraise
from core.calibration import calibrate
from core.errors import DataError
from core.evidence import evidence
from core.files import dump
from core.losses import LOSSES
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.splits import split
from core.targets import Regression, fit_target
from core.training import Fit, Recipe
from service.datasets.reading import read_table
from service.jobs.messages import (
    Assignment,
    Failed,
    Message,
    Trained,
    decode_assignment,
    encode,
)
from service.worker import confinement
from service.worker.course import Course
from service.worker.environment import ENVIRONMENT
from service.worker.verifying import verify

CODE_VERSION = version("sigmoid")


def main(pipe: Connection, stderr: Connection) -> None:
    """Entry of the child: read the assignment, report until the end."""
    confinement.enter(stderr)
    assignment = decode_assignment(pipe.recv_bytes())
    confinement.bound(assignment.bounds)
    with confinement.last_words():
        for message in run(assignment, asked_to_stop=pipe.poll):
            pipe.send_bytes(encode(message))
    pipe.close()


def run(
    assignment: Assignment, asked_to_stop: Callable[[], bool] = lambda: False
) -> Iterator[Message]:
    """Train; the last message is Trained, Failed, or Stopped when that was asked for."""
    try:
        for message in _train(assignment, asked_to_stop):
            if assignment.against is not None and isinstance(message, Trained):
                yield verify(message, Path(assignment.against))
            else:
                yield message
    except DataError as error:
        yield Failed([], "dataset_invalid", str(error), None)
    except MemoryError:
        yield Failed([], "memory_exceeded", "Training needs more memory than there is.", None)


def _train(assignment: Assignment, asked_to_stop: Callable[[], bool]) -> Iterator[Message]:
    started = time.monotonic()
    spec, training = assignment.spec, assignment.spec["training"]
    name = spec["target"]
    table = dict(read_table(Path(assignment.dataset_path), [*spec["features"], name]))
    column, task = table.pop(name), spec["task"]
    target, present = fit_target(column, task, name=name)
    classes = None if isinstance(target, Regression) else target.truth(column, present)
    fraction = (training["validation"] or {}).get("fraction")
    parts = split(present, classes=classes, fraction=fraction, seed=spec["seed"])
    target, _ = fit_target(column, task, rows=parts.train, name=name)
    preprocessor = Preprocessor.fit(
        table, spec["features"], rows=parts.train, **spec["preprocessing"]
    )
    network = _network(spec, preprocessor.width, target.outputs)
    x, _ = preprocessor.transform(table, parts.train)
    xv, _ = preprocessor.transform(table, parts.validation)
    y, yv = target.encode(column, parts.train), target.encode(column, parts.validation)
    judged = len(parts.validation) > 0

    def make(state: bytes | None) -> Fit:
        validation = (xv, yv) if judged else None
        return Fit(network, recipe(spec), x, y, validation=validation, state=state)

    course = Course(make, assignment, len(x), started, asked_to_stop)
    yield from course.run()
    if course.stopped:
        return
    fit, points = course.fit, course.points
    if fit.stop_reason == "diverged":
        yield Failed(
            points,
            "diverged",
            f"Training diverged in epoch {int(fit.position) + 1}: the loss is no longer a finite "
            "number. Lower the learning rate, scale the inputs, or clip the gradient.",
            "/training/optimizer/learning_rate",
        )
        return
    judges = parts.validation if judged else parts.train
    truth = target.truth(column, judges)
    output = target.decode(network.forward(fit.theta, xv if judged else x))
    trained_on = Judged(x, y, target.truth(column, parts.train))
    judged_on = Judged(xv, yv, truth) if judged else trained_on
    appraisal = appraise(target, network.link, trained_on, judged_on, output, spec["seed"])
    model = Model(
        task=task,
        target_name=name,
        preprocessor=preprocessor,
        network=network,
        theta=fit.theta,
        target=target,
        calibration=calibrate(task, truth, output) if judged else None,
        metadata={"lineage": lineage(assignment)},
    )
    yield Trained(
        points=points,
        model=dump(model),
        metrics=appraisal.pop("metrics"),
        baseline=appraisal.pop("baseline"),
        signature=model.signature(),
        lineage={**lineage(assignment), "environment": ENVIRONMENT},
        evaluation={
            **evidence(task, truth, output, target.names),
            **appraisal,
            "judged_by": "validation" if judged else "training",
            "training_rows": len(parts.train),
        },
        task=task,
        epoch=fit.position,
        best_epoch=fit.best_epoch,
        stop_reason=fit.stop_reason or "time_budget",
        seconds=course.seconds,
        warnings=[],
        snapshot=course.snapshot(),
    )


def _network(spec: dict[str, Any], inputs: int, outputs: int) -> Network:
    layers = tuple(Layer(item["units"], item["activation"]) for item in spec["network"]["layers"])
    return Network(inputs, layers, outputs, LOSSES[spec["training"]["loss"]].link)


def lineage(assignment: Assignment) -> dict[str, Any]:
    """All that the model follows from, and is written into its file: equal lineage on equal
    machines gives equal bytes.
    """
    return {
        "dataset_sha256": assignment.dataset_sha256,
        "spec": assignment.spec,
        "seed": assignment.spec["seed"],
        "code_version": CODE_VERSION,
    }


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
