"""What a job is to predict: its target or targets, the task that they make, and the loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.losses import LOSSES
from core.several import title
from core.targets import infer_task
from service.jobs.recipe import loss_options, quantiles_of, target_names
from service.jobs.schemas import JobRequest
from service.kit.problems import FieldError, Problem, pointer
from service.tables import Json

MAX_CLASSES = 500
LOSS_OF = {
    "regression": "mse",
    "binary": "binary_cross_entropy",
    "multiclass": "categorical_cross_entropy",
    "multilabel": "binary_cross_entropy",
}


@dataclass(frozen=True)
class Aim:
    """What is predicted. names: of the columns, whose profiles `columns` has. missing: rows that
    lack one of them, at least.
    """

    names: tuple[str, ...]
    columns: tuple[Json, ...]
    task: str
    loss: str
    missing: int
    outputs: int

    @property
    def title(self) -> str:
        """All names as one."""
        return title(self.names)


def aim_of(request: JobRequest, columns: Mapping[str, Json], rows: int) -> Aim:
    """What the request wants predicted, of a data set with so many rows.

    Raises Problem job-invalid naming what does not fit.
    """
    names = target_names({"target": request.target})
    chosen = [_column(request, at, name, columns) for at, name in enumerate(names)]
    if len(set(names)) < len(names):
        raise refuse("/target", "A column is named twice.", "duplicate")
    missing = max(column["missing"] for column in chosen)
    if len(names) == 1:
        task = _task(request, chosen[0], rows - missing)
    else:
        task = _common_task(request, names, chosen, rows - missing)
    loss = _loss(request, task)
    _check_numbers(request, loss, names, chosen)
    outputs = len(names)
    if task == "multiclass":
        outputs = chosen[0]["distinct"]
    asked = request.training.loss_options.model_dump(exclude_none=True)
    quantiles = quantiles_of({"loss_options": asked})
    if quantiles and len(names) > 1:
        detail = "Several quantiles are of one target; give one, or a single quantile."
        raise refuse("/training/loss_options/quantiles", detail, "option_mismatch")
    return Aim(tuple(names), tuple(chosen), task, loss, missing, max(outputs, len(quantiles)))


def refuse(path: str, detail: str, code: str) -> Problem:
    """A job-invalid problem about one field."""
    return Problem("job-invalid", detail, [FieldError(path, detail, code)])


def _path(request: JobRequest, at: int) -> str:
    return "/target" if isinstance(request.target, str) else pointer("target", at)


def _column(request: JobRequest, at: int, name: str, columns: Mapping[str, Json]) -> Json:
    target, path = columns.get(name), _path(request, at)
    if target is None:
        detail = "The data set has no such column; GET it for its columns."
        raise refuse(path, detail, "unknown_column")
    if target["type"] == "text":
        detail = "This column is free text; a target has numbers or at most 500 levels."
        raise refuse(path, detail, "not_a_target")
    if target["distinct"] is not None and target["distinct"] < 2:
        detail = "The target has one value only: there is nothing to learn."
        raise refuse(path, detail, "constant_target")
    return target


def _inferred(target: Json, rows: int) -> str:
    return infer_task(
        kind=target["type"],
        is_integer=bool(target.get("integer")),
        distinct=_distinct(target, rows),
        rows=rows,
    )


def _distinct(target: Json, rows: int) -> int:
    return int(target["distinct"]) if target["distinct"] is not None else rows


def _task(request: JobRequest, target: Json, rows: int) -> str:
    """Of one target. A loss of numbers says that the target is one."""
    task = request.task
    if task == "auto":
        counted = request.training.loss == "poisson" and target["type"] == "number"
        task = "regression" if counted else _inferred(target, rows)  # type: ignore[assignment]
    numeric = target["type"] == "number"
    distinct = _distinct(target, rows)
    if task == "multilabel":
        detail = "Multilabel is for several targets of two values each; list them in target."
        raise refuse("/task", detail, "task_mismatch")
    if task == "regression" and not numeric:
        detail = "Regression needs a target of numbers; this one has levels."
        raise refuse("/task", detail, "task_mismatch")
    if task == "binary" and distinct != 2:
        detail = "Binary needs a target with exactly two values."
        raise refuse("/task", detail, "task_mismatch")
    if task != "regression" and numeric and not target.get("integer"):
        detail = "Classes need a target of text, booleans or whole numbers."
        raise refuse("/task", detail, "task_mismatch")
    if task != "regression" and distinct > MAX_CLASSES:
        detail = f"The target has more than {MAX_CLASSES} classes."
        raise refuse("/task", detail, "too_many_classes")
    return task


def _common_task(request: JobRequest, names: list[str], targets: list[Json], rows: int) -> str:
    """Of several targets, which are all numbers or all have two values."""
    task, numeric = request.task, all(target["type"] == "number" for target in targets)
    paired = [_distinct(target, rows) == 2 for target in targets]
    if task == "auto":
        pairs = all(paired) and all(_inferred(target, rows) == "binary" for target in targets)
        task = "multilabel" if pairs and request.training.loss != "poisson" else "regression"
    if task not in ("multilabel", "regression"):
        detail = "Several targets make the task regression or multilabel."
        raise refuse("/task", detail, "task_mismatch")
    if task == "regression" and not numeric:
        at = next(at for at, target in enumerate(targets) if target["type"] != "number")
        detail = "Several targets are all numbers, or all have two values; this one differs."
        raise refuse(_path(request, at), detail, "task_mismatch")
    if task == "multilabel":
        for at, target in enumerate(targets):
            whole = target["type"] != "number" or target.get("integer")
            if not (paired[at] and whole):
                detail = "Multilabel needs targets of two values each, numbers among them whole."
                raise refuse(_path(request, at), detail, "task_mismatch")
            if f"probability_{names[at]}" in names:
                detail = "Another target has the name that this one's probabilities have."
                raise refuse(_path(request, at), detail, "name_taken")
    return task


def _loss(request: JobRequest, task: str) -> str:
    loss = request.training.loss
    numbers = {"identity", "exp"}
    link = LOSSES[LOSS_OF[task]].link
    links = numbers if link in numbers else {link}
    fitting = [name for name, entry in LOSSES.items() if entry.link in links]
    if loss == "auto":
        loss = LOSS_OF[task]
    elif loss not in fitting:
        detail = f"The task {task} is learned with {', '.join(fitting)} (or auto)."
        raise refuse("/training/loss", detail, "loss_mismatch")
    try:
        LOSSES[loss].parameters(
            loss_options(request.training.loss_options.model_dump(exclude_none=True))
        )
    except ValueError:
        known: dict[str, Any] = LOSSES[loss].options
        detail = f"The loss {loss} knows: {', '.join(known) or 'no options'}."
        raise refuse("/training/loss_options", detail, "option_mismatch") from None
    return loss


def _check_numbers(request: JobRequest, loss: str, names: list[str], targets: list[Json]) -> None:
    if loss != "poisson":
        return
    for at, target in enumerate(targets):
        if target["min"] < 0:
            detail = "A Poisson loss is for numbers from 0 on; this column has lower ones."
            raise refuse(_path(request, at), detail, "negative_counts")
    if request.preprocessing.target_scaling not in ("none", "standardize"):
        detail = "A Poisson loss learns the logarithm of the mean; leave target_scaling out."
        raise refuse("/preprocessing/target_scaling", detail, "option_mismatch")
