"""From what a caller asked to what will run: every `auto` replaced, every limit checked."""

import secrets
from dataclasses import dataclass

from core.losses import LOSSES
from core.network import Layer, Network
from core.optimizers import OPTIMIZERS
from service.jobs import preprocessing
from service.jobs.aims import Aim, aim_of, refuse
from service.jobs.schemas import JobRequest
from service.kit.problems import FieldError, Problem, pointer
from service.settings import Settings
from service.tables import Dataset, Json


@dataclass(frozen=True)
class Resolution:
    """The job as it will run, and what its sender should know."""

    model: str
    spec: Json
    warnings: list[Json]


def resolve(
    request: JobRequest, dataset: Dataset, settings: Settings, judge: Dataset | None = None
) -> Resolution:
    """Check the request against its data set and fill in everything left open.

    judge: the data set whose rows judge, where it is another.

    Raises Problem job-invalid naming fields, or job-too-large with the estimate.
    """
    columns = {column["name"]: column for column in dataset.columns}
    aim = aim_of(request, columns, dataset.rows)
    warnings: list[Json] = []
    features = _features(request, aim, columns, dataset.rows, warnings)
    wrong = preprocessing.faults(request.preprocessing, features, columns)
    if wrong:
        raise Problem("job-invalid", "Some choices do not fit their columns; see errors.", wrong)
    rows = dataset.rows - aim.missing
    for name, column in zip(aim.names, aim.columns, strict=True):
        if column["missing"]:
            text = f"{column['missing']} rows without a target are left out."
            warnings.append(_warning("target_missing", text, name))
    _check_weights(request, aim, columns, features)
    if judge is not None:
        _check_judge(judge, request, aim, columns, features)
    training_rows = _training_rows(request, aim, columns, features, rows)
    training = request.training.model_dump(mode="json")
    training["loss"] = aim.loss
    _check_training(request)
    training["batch_size"] = _batch_size(request, training_rows, warnings)
    training["max_seconds"] = min(
        training["max_seconds"] or settings.max_seconds, settings.max_seconds
    )
    if request.training.validation is not None:
        training["validation"] = request.training.validation.model_dump(exclude_none=True)
    elif request.training.monitors_validation:
        training["early_stopping"] = None
    network = request.network.model_dump(mode="json")
    _check_cost(request, aim, [columns[name] for name in features], training_rows, settings)
    spec = {
        "target": aim.names[0] if len(aim.names) == 1 else list(aim.names),
        "task": aim.task,
        "features": features,
        "weights_column": request.weights_column,
        "class_weight": request.class_weight,
        "preprocessing": preprocessing.resolved(request.preprocessing),
        "network": network,
        "training": training,
        "seed": secrets.randbits(32) if request.seed is None else request.seed,
    }
    return Resolution(request.model or _model_name(aim.title), spec, warnings)


def _marker(request: JobRequest) -> str | None:
    validation = request.training.validation
    return validation.column if validation is not None else None


def _training_rows(
    request: JobRequest, aim: Aim, columns: dict[str, Json], features: list[str], rows: int
) -> int:
    """How many rows train, at most. Raises Problem where the validation does not fit."""
    validation = request.training.validation
    if validation is None:
        return rows
    if validation.fraction is not None:
        return max(1, rows - round(rows * validation.fraction))
    if validation.folds is not None and validation.folds > rows:
        detail = "There are fewer rows than folds."
        raise refuse("/training/validation/folds", detail, "too_few_rows")
    if validation.column is not None:
        _check_marker(validation.column, aim, columns, features)
    return rows


def _check_weights(
    request: JobRequest, aim: Aim, columns: dict[str, Json], features: list[str]
) -> None:
    if request.class_weight is not None and aim.task in ("regression", "multilabel"):
        detail = "Only a single target of classes has classes to weigh."
        raise refuse("/class_weight", detail, "task_mismatch")
    name = request.weights_column
    if name is None:
        return
    if name not in columns:
        detail = "The data set has no such column; GET it for its columns."
        raise refuse("/weights_column", detail, "unknown_column")
    if name in aim.names or name in features or name == _marker(request):
        detail = "This column has another part already."
        raise refuse("/weights_column", detail, "column_in_use")
    column = columns[name]
    if column["type"] != "number" or column["missing"] or column["min"] < 0:
        detail = "Expected a column of numbers from 0, none of them missing."
        raise refuse("/weights_column", detail, "no_weights")


def _check_judge(
    judge: Dataset,
    request: JobRequest,
    aim: Aim,
    columns: dict[str, Json],
    features: list[str],
) -> None:
    path = "/training/validation/dataset"
    there = {column["name"]: column for column in judge.columns}
    weigher = [] if request.weights_column is None else [request.weights_column]
    for name in [*aim.names, *features, *weigher]:
        if name not in there:
            detail = "That data set lacks columns of the job's; the target, features and weights."
            raise refuse(path, detail, "missing_column")
        kinds = {_broad(there[name]), _broad(columns[name])}
        if len(kinds) > 1 and there[name]["distinct"] != 0:
            raise refuse(path, "Its columns have other types than the job's.", "wrong_type")
    if judge.rows == max(there[name]["missing"] for name in aim.names):
        raise refuse(path, "No row of that data set has a target.", "too_few_rows")


def _broad(column: Json) -> str:
    return "text" if column["type"] == "category" else str(column["type"])


def _check_marker(name: str, aim: Aim, columns: dict[str, Json], features: list[str]) -> None:
    path = "/training/validation/column"
    if name not in columns:
        detail = "The data set has no such column; GET it for its columns."
        raise refuse(path, detail, "unknown_column")
    if name in aim.names or name in features:
        raise refuse(path, "The target or a feature cannot mark rows.", "column_in_use")
    if columns[name]["type"] == "text":
        detail = "Expected a column of booleans, of 0 and 1, or of `train` and `validation`."
        raise refuse(path, detail, "no_marker")


def _warning(code: str, message: str, column: str | None = None) -> Json:
    return {"code": code, "message": message, "column": column}


def _features(
    request: JobRequest, aim: Aim, columns: dict[str, Json], rows: int, warnings: list[Json]
) -> list[str]:
    if request.features is not None:
        return _named_features(request, aim, columns)
    chosen = []
    for name, column in columns.items():
        if name in (*aim.names, request.weights_column, _marker(request)):
            continue
        reason = _unusable(request, column)
        if name not in request.preprocessing.columns:
            reason = reason or _identifying(column, rows)
        if reason is None:
            chosen.append(name)
        else:
            warnings.append(_warning("column_left_out", f"Left out: {reason}.", name))
    if not chosen:
        raise refuse("/features", "No column besides the target can be a feature.", "no_features")
    return chosen


def _named_features(request: JobRequest, aim: Aim, columns: dict[str, Json]) -> list[str]:
    errors = []
    assert request.features is not None
    for index, name in enumerate(request.features):
        if name not in columns:
            detail, code = "The data set has no such column.", "unknown_column"
        elif name in aim.names:
            detail, code = "The target cannot be a feature.", "target_as_feature"
        elif name in request.features[:index]:
            detail, code = "This column is named twice.", "duplicate"
        elif reason := _unusable(request, columns[name]):
            detail, code = f"Not usable: {reason}.", "unusable_column"
        else:
            continue
        errors.append(FieldError(pointer("features", index), detail, code))
    if errors:
        raise Problem("job-invalid", "Some features cannot be used; see errors.", errors)
    return list(request.features)


def _identifying(column: Json, rows: int) -> str | None:
    if column["type"] == "category" and rows > 20 and column["distinct"] == rows:
        return "every row has its own level, as an identifier has; name it in features to keep it"
    return None


def _unusable(request: JobRequest, column: Json) -> str | None:
    known = preprocessing.usable_text(request.preprocessing, column["name"])
    if column["type"] == "text" and not known:
        return "free text with more than 500 levels; choose an encoding for it to use it"
    if column["distinct"] == 0:
        return "every value is missing"
    return None


def _check_training(request: JobRequest) -> None:
    """Raise Problem for choices that do not go together."""
    training, network = request.training, request.network
    for at, layer in enumerate(network.layers):
        if layer.alpha is not None and layer.activation not in ("leaky_relu", "elu"):
            detail = "This activation has no parameter; leave alpha out."
            raise refuse(pointer("network", "layers", at, "alpha"), detail, "option_mismatch")
    random = network.input_dropout or any(
        layer.dropout or layer.batch_norm for layer in network.layers
    )
    if random and OPTIMIZERS[training.optimizer.name].searches:
        detail = "This optimiser needs a loss without dropout and batch norm; choose adam."
        raise refuse("/training/optimizer/name", detail, "optimizer_mismatch")


def _batch_size(request: JobRequest, rows: int, warnings: list[Json]) -> int:
    """Small batches learn most per epoch, large ones cost least per row; grow with the table."""
    asked = request.training.batch_size
    if OPTIMIZERS[request.training.optimizer.name].searches:
        if asked != "auto" and asked < rows:
            detail = "This optimiser takes all training rows at once; leave batch_size to auto."
            raise refuse("/training/batch_size", detail, "optimizer_mismatch")
        return rows
    if asked == "auto":
        asked = 16 if rows < 1_000 else 32 if rows < 20_000 else 128 if rows < 200_000 else 256
    if asked > rows:
        if asked > 16:
            warnings.append(_warning("batch_clamped", "The batch holds all training rows."))
        return rows
    return int(asked)


def _check_cost(
    request: JobRequest, aim: Aim, features: list[Json], rows: int, settings: Settings
) -> None:
    if rows < 2:
        raise refuse("/dataset", "Training needs at least two rows with a target.", "too_few_rows")
    if request.training.epochs > settings.max_epochs:
        raise refuse("/training/epochs", f"At most {settings.max_epochs} epochs.", "too_large")
    network = Network(
        inputs=preprocessing.width(request.preprocessing, features),
        layers=tuple(Layer(**layer.model_dump()) for layer in request.network.layers),
        outputs=aim.outputs,
        link=LOSSES[aim.loss].link,
        embeddings=preprocessing.embeddings(request.preprocessing, features),
    )
    if network.parameter_count > settings.max_parameters:
        detail = (
            f"The network would have {network.parameter_count} parameters; "
            f"the limit is {settings.max_parameters}. Use fewer units or columns."
        )
        raise _too_large("/network/layers", detail)
    validation = request.training.validation
    fits = 1 + (0 if validation is None else validation.folds or 0)
    work = 6.0 * network.parameter_count * rows * request.training.epochs * fits
    if work > settings.max_work:
        detail = f"Training would take {work:.1e} operations; the limit is {settings.max_work:.1e}."
        raise _too_large("/training/epochs", detail)


def _too_large(path: str, detail: str) -> Problem:
    return Problem("job-too-large", detail, [FieldError(path, detail, "job_too_large")])


def _model_name(target: str) -> str:
    kept = "".join(
        c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in target.lower()
    )
    name = kept.strip("._-")[:100]
    return name or "model"
