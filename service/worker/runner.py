"""One job, in a process of its own: table in, trained model out. Knows no database."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec

from core.appraisal import appraise
from core.calibration import calibrate
from core.errors import DataError
from core.evidence import evidence
from core.files import dump
from core.model import Model
from core.several import title
from core.splits import Split
from core.training import Fit
from service.jobs.messages import (
    Assignment,
    Failed,
    Message,
    Stopped,
    Trained,
    decode_assignment,
    encode,
)
from service.jobs.recipe import recipe, target_names
from service.worker import confinement
from service.worker.course import Course
from service.worker.doctor import attend
from service.worker.environment import ENVIRONMENT
from service.worker.folding import Diverged, Folded, Interrupted, cross_validate, within
from service.worker.preparing import Prepared, load, prepare
from service.worker.sweeping import Exploration
from service.worker.verifying import verify

CODE_VERSION = version("sigmoid")


def main(pipe: Connection, stderr: Connection) -> None:
    """Entry of the child: run assignments, and report each until its end, until the pipe closes.

    What one job leaves in memory is no input of the next: equal jobs give equal bytes.
    """
    confinement.enter(stderr)
    first = True
    with confinement.last_words(), contextlib.suppress(EOFError):
        while True:
            assignment = decode_assignment(pipe.recv_bytes())
            if first:
                confinement.bound(assignment.bounds)
                first = False
            for message in run(assignment, asked_to_stop=pipe.poll):
                pipe.send_bytes(encode(message))


def run(
    assignment: Assignment, asked_to_stop: Callable[[], bool] = lambda: False
) -> Iterator[Message]:
    """Train; the last message is Trained, Failed, or Stopped when that was asked for."""
    try:
        for message in _work(assignment, asked_to_stop):
            if assignment.against is not None and isinstance(message, Trained):
                yield verify(message, Path(assignment.against))
            else:
                yield message
    except DataError as error:
        yield Failed([], "dataset_invalid", str(error), None)
    except MemoryError:
        yield Failed([], "memory_exceeded", "Training needs more memory than there is.", None)


def _work(assignment: Assignment, asked_to_stop: Callable[[], bool]) -> Iterator[Message]:
    """Train the job; of a sweep first all its trials, then the best as a job of its own."""
    if "sweep" in assignment.spec:
        exploration = Exploration(assignment, asked_to_stop)
        yield from exploration.run()
        if exploration.best is None:
            return
        assignment = msgspec.structs.replace(assignment, spec=exploration.best)
    yield from _train(assignment, asked_to_stop)


def _train(assignment: Assignment, asked_to_stop: Callable[[], bool]) -> Iterator[Message]:
    started = time.monotonic()
    spec = assignment.spec
    data = load(spec, Path(assignment.dataset_path), Path(assignment.validation_path))
    parts, folded, how = data.splits(), None, recipe(spec)
    if len(parts) > 1:
        go_on = within(spec["training"]["max_seconds"], started, asked_to_stop)
        try:
            folded = cross_validate(data, parts, go_on)
        except Diverged as error:
            yield _diverged([], error.epoch)
            return
        except Interrupted:
            yield _unfinished_folds(asked_to_stop())
            return
        parts, how = [Split(data.present, data.present[:0])], folded.recipe(how)
    prepared = prepare(data, parts[0])
    course = Course(
        lambda state: prepared.fit(how, state),
        assignment,
        len(prepared.x),
        started,
        asked_to_stop,
        attend(data, prepared, parts[0]),
    )
    yield from course.run()
    if course.stopped:
        return
    if course.fit.stop_reason == "diverged":
        findings = course.doctor.look(course.fit.theta, "diverged")
        epoch = int(course.fit.position) + 1
        yield _diverged(course.points, epoch, _where(course.fit), findings)
        return
    yield _trained(assignment, prepared, course, folded)


def _trained(
    assignment: Assignment, prepared: Prepared, course: Course, folded: Folded | None
) -> Trained:
    spec, fit, target = assignment.spec, course.fit, prepared.target
    judged = prepared.judged(fit.theta) if folded is None else folded.judged
    linear = prepared.linear() if folded is None else folded.linear
    appraisal = appraise(target, prepared.trained(fit.theta), judged, linear, spec["seed"])
    judged_by = "training" if not len(prepared.xv) else "validation"
    if folded is not None:
        judged_by, appraisal["folds"] = "folds", folded.described
    unseen = judged_by != "training"
    model = Model(
        task=spec["task"],
        target_name=title(target_names(spec)),
        preprocessor=prepared.preprocessor,
        network=prepared.network,
        theta=fit.theta,
        target=target,
        calibration=(
            calibrate(target.measure, judged.truth, judged.output, judged.weights)
            if unseen
            else None
        ),
        metadata={"lineage": lineage(assignment)},
    )
    stop_reason = fit.stop_reason or "time_budget"
    return Trained(
        points=course.points,
        model=dump(model),
        metrics=appraisal.pop("metrics"),
        baseline=appraisal.pop("baseline"),
        signature=model.signature(),
        lineage={**lineage(assignment), "environment": ENVIRONMENT},
        evaluation={
            **evidence(target.measure, judged.truth, judged.output, target.names),
            **appraisal,
            "judged_by": judged_by,
            "training_rows": len(prepared.x),
        },
        task=spec["task"],
        epoch=fit.position,
        best_epoch=fit.best_epoch,
        stop_reason=stop_reason,
        seconds=course.seconds,
        warnings=[],
        snapshot=course.snapshot(),
        findings=course.doctor.look(fit.theta, stop_reason),
    )


def _where(fit: Fit) -> str:
    """The layer that broke, for people, who count from 1."""
    layer = fit.diverged_layer or 0
    name = "the output layer" if layer == len(fit.network.layers) else f"layer {layer + 1}"
    return f", first in {name}"


def _diverged(
    points: list[dict[str, Any]],
    epoch: int,
    where: str = "",
    findings: Sequence[dict[str, Any]] = (),
) -> Failed:
    return Failed(
        points,
        "diverged",
        f"Training diverged in epoch {epoch}{where}: the loss is no longer a finite "
        "number. Lower the learning rate, scale the inputs, or clip the gradient.",
        "/training/optimizer/learning_rate",
        list(findings),
    )


def _unfinished_folds(asked: bool) -> Message:
    """Folds leave nothing to go on from: they start again, or there was no time for them."""
    if asked:
        return Stopped([], 0.0, None)
    message = "The time was up before all folds were trained. Give more, or ask for fewer folds."
    return Failed([], "time_exceeded", message, "/training/max_seconds")


def lineage(assignment: Assignment) -> dict[str, Any]:
    """All that the model follows from, and is written into its file: equal lineage on equal
    machines gives equal bytes.
    """
    judge = assignment.validation_sha256
    return {
        **({} if judge is None else {"validation_sha256": judge}),
        "dataset_sha256": assignment.dataset_sha256,
        "spec": assignment.spec,
        "seed": assignment.spec["seed"],
        "code_version": CODE_VERSION,
    }
