"""What a question may ask for besides plain answers, and whether the model has it."""

import math
from typing import Any

import numpy as np

from core.calibration import Calibration, temper
from core.model import Model
from core.targets import Classes, Regression
from service.kit.bodies import fields_problem
from service.kit.problems import Problem
from service.predictions.plan import Options

Answers = list[dict[str, Any]]


def misfit(options: Options, model: Model) -> Problem | None:
    """Why the options do not go with the model; None when they do."""
    target, found = model.target, list[tuple[tuple[str, ...], str, str]]()
    classes = isinstance(target, Classes)
    for name in ("top_k", "calibrated"):
        if getattr(options, name) and not classes:
            message = f"This model predicts no classes; {name} is for models that do."
            found.append(((name,), message, "not_classes"))
    if options.threshold is not None and target.task != "binary":
        message = "threshold is for models with two classes; this one has another task."
        found.append((("threshold",), message, "not_binary"))
    for name in ("coverage", "calibrated"):
        if getattr(options, name) and model.calibration is None:
            message = (
                "This version was trained without validation rows, which its doubt comes from."
            )
            found.append(((name,), message, "not_calibrated"))
    if options.coverage is not None and type(target) not in (Classes, Regression):
        message = "coverage is for models with a single target."
        found.append((("coverage",), message, "many_targets"))
    return fields_problem(list(found)) if found else None


def shape(answers: Answers, options: Options, model: Model) -> Answers:
    """The answers as the options want them; the options fit, as `misfit` saw."""
    target, calibration = model.target, model.calibration
    if calibration is not None and (options.coverage or options.calibrated):
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


def _doubt(answers: Answers, options: Options, target: Any, calibration: Calibration) -> None:
    """Add sets or intervals, and replace probabilities by calibrated ones, as asked."""
    if not isinstance(target, Classes):
        radius = calibration.radius(options.coverage or 0.0)
        for one in answers:
            ends = (one["value"] - radius, one["value"] + radius)
            one["interval"] = [end if math.isfinite(end) else None for end in ends]
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
