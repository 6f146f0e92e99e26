"""What a question may ask for besides plain answers, and whether the model has it."""

import math
from typing import Any

import numpy as np

from core.calibration import Calibration, Doubt, temper, two_ways
from core.model import Model
from core.several import AnyTarget, Several
from core.targets import Classes
from service.kit.bodies import fields_problem
from service.kit.problems import Problem
from service.predictions.plan import Options

Answers = list[dict[str, Any]]


def misfit(options: Options, model: Model) -> Problem | None:
    """Why the options do not go with the model; None when they do."""
    target, found = model.target, list[tuple[tuple[str, ...], str, str]]()
    if options.top_k and not isinstance(target, Classes):
        message = "This model predicts no classes; top_k is for models that do."
        found.append((("top_k",), message, "not_classes"))
    if options.calibrated and target.task == "regression":
        message = "This model predicts no classes; calibrated is for models that do."
        found.append((("calibrated",), message, "not_classes"))
    if options.threshold is not None and target.task not in ("binary", "multilabel"):
        message = "threshold is for models with two classes; this one has another task."
        found.append((("threshold",), message, "not_binary"))
    for name in ("coverage", "calibrated"):
        if getattr(options, name) and model.calibration is None:
            message = (
                "This version was trained without validation rows, which its doubt comes from."
            )
            found.append(((name,), message, "not_calibrated"))
    return fields_problem(list(found)) if found else None


def shape(answers: Answers, options: Options, model: Model) -> Answers:
    """The answers as the options want them; the options fit, as `misfit` saw."""
    target, calibration = model.target, model.calibration
    doubts = options.coverage or options.calibrated
    if isinstance(target, Several):
        return shape_several(answers, options, target, calibration if doubts else None)
    if isinstance(calibration, Calibration) and doubts:
        _doubt(answers, options, target, calibration)
    if not isinstance(target, Classes):
        return answers
    if options.threshold is not None:
        name = target.names[1]
        for one in answers:
            one["label"] = target.labels[one["probabilities"][name] >= options.threshold]
    if options.top_k is not None:
        for one in answers:
            ranked = sorted(one["probabilities"].items(), key=lambda pair: -pair[1])
            one["probabilities"] = dict(ranked[: options.top_k])
    return answers


def _doubt(answers: Answers, options: Options, target: AnyTarget, calibration: Calibration) -> None:
    """Add sets or intervals, and replace probabilities by calibrated ones, as asked."""
    if not isinstance(target, Classes):
        radius = calibration.radius(options.coverage or 0.0)
        for one in answers:
            ends = list(one["quantiles"].values()) if "quantiles" in one else [one["value"]]
            one["interval"] = interval(ends[0], ends[-1], radius)
        return
    shares = np.array([list(one["probabilities"].values()) for one in answers])
    tempered = temper(shares, calibration.temperature)
    if options.calibrated:
        for one, row in zip(answers, tempered.tolist(), strict=True):
            one["probabilities"] = dict(zip(target.names, row, strict=True))
    if options.coverage is not None:
        sets = calibration.sets(tempered, options.coverage)
        for one, possible in zip(answers, sets.tolist(), strict=True):
            one["set"] = [
                label for label, holds in zip(target.labels, possible, strict=True) if holds
            ]


def interval(low: float, high: float, radius: float) -> list[float | None]:
    """From `radius` below the one to as much above the other; null where nothing bounds it. With
    a negative radius they may meet, in the middle.
    """
    low, high = low - radius, high + radius
    if low > high:
        low = high = (low + high) / 2.0
    return [end if math.isfinite(end) else None for end in (low, high)]


def shape_several(
    answers: Answers, options: Options, target: Several, calibration: Doubt | None
) -> Answers:
    """As `shape`, column by column: `intervals`, `sets`, calibrated `probabilities`, `labels`."""
    for at, (name, part) in enumerate(zip(target.columns, target.parts, strict=True)):
        doubt = calibration[at] if isinstance(calibration, tuple) else None
        if isinstance(part, Classes):
            _shape_labels(answers, options, name, part, doubt)
        elif doubt is not None:
            radius = doubt.radius(options.coverage or 0.0)
            for one in answers:
                value = one["values"][name]
                one.setdefault("intervals", {})[name] = interval(value, value, radius)
    return answers


def _shape_labels(
    answers: Answers, options: Options, name: str, part: Classes, doubt: Calibration | None
) -> None:
    if options.threshold is not None:
        for one in answers:
            one["labels"][name] = part.labels[one["probabilities"][name] >= options.threshold]
    if doubt is None:
        return
    shares = two_ways(np.array([one["probabilities"][name] for one in answers]))
    tempered = temper(shares, doubt.temperature)
    if options.calibrated:
        for one, share in zip(answers, tempered[:, 1].tolist(), strict=True):
            one["probabilities"][name] = share
    if options.coverage is not None:
        sets = doubt.sets(tempered, options.coverage)
        for one, possible in zip(answers, sets.tolist(), strict=True):
            one.setdefault("sets", {})[name] = [
                label for label, holds in zip(part.labels, possible, strict=True) if holds
            ]
