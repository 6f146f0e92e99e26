"""What people type, turned into what the API takes: layers, and rows for a model's signature."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from service.cli.client import Json
from service.cli.exits import CommandError, ExitCode

Cell = float | int | str | bool | None
_MISSING = {"", "NA", "NaN", "nan", "null", "NULL", "None", "N/A"}


def hidden_layers(text: str) -> list[Json]:
    """`16:sigmoid,8:tanh` -> the layers of a job; `none` is a network without hidden layers."""
    if text.strip().lower() == "none":
        return []
    found: list[Json] = []
    for part in text.split(","):
        units, _, activation = part.strip().partition(":")
        if not (units.isascii() and units.isdigit()):
            raise _usage(
                f"--layers: {part.strip()!r} is not UNITS:ACTIVATION, as in 16:sigmoid,8:tanh"
            )
        found.append({"units": int(units), "activation": activation or "sigmoid"})
    return found


def job_options(
    *,
    target: str,
    model: str | None,
    task: str,
    layers: str | None,
    optimizer: str,
    learning_rate: float | None,
    epochs: int | None,
    batch_size: int | None,
    l2: float | None,
    patience: int | None,
    seed: int | None,
) -> Json:
    """The options of `sigmoid train` as a job; what was not given is left to the service."""
    training: Json = {
        "optimizer": _given({"name": optimizer, "learning_rate": learning_rate}),
        **_given({"epochs": epochs, "batch_size": batch_size, "l2": l2}),
    }
    if patience is not None:
        training["early_stopping"] = {"patience": patience} if patience else None
    network = None if layers is None else {"layers": hidden_layers(layers)}
    return _given(
        {
            "target": target,
            "model": model,
            "task": task,
            "network": network,
            "training": training,
            "seed": seed,
        }
    )


def _given(fields: Json) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


def typed_row(pairs: str, features: Sequence[Json]) -> dict[str, Cell]:
    """`a=1,b=x` -> a row. Text in double quotes may hold commas: `a=1,"b=x,y"`."""
    row: dict[str, str] = {}
    for pair in next(csv.reader([pairs], skipinitialspace=True), []):
        name, equals, value = pair.partition("=")
        if not equals:
            raise _usage(f"--row: {pair!r} is not COLUMN=VALUE")
        row[name.strip()] = value.strip()
    return _typed(row, features, "--row")


def rows_of(file: Path, features: Sequence[Json]) -> list[Mapping[str, Cell]]:
    """The rows of a CSV, TSV, JSON or NDJSON file. Columns the model does not know are left out."""
    suffix = file.suffix.lower()
    try:
        text = file.read_text("utf-8-sig")
        if suffix in {".csv", ".tsv"}:
            reader = csv.DictReader(text.splitlines(), delimiter="\t" if suffix == ".tsv" else ",")
            wanted = {feature["name"] for feature in features}
            return [
                _typed(
                    {k: v or "" for k, v in row.items() if k in wanted},
                    features,
                    f"{file} line {line}",
                )
                for line, row in enumerate(reader, start=2)
            ]
        if suffix in {".ndjson", ".jsonl"}:
            return _records((_loads(line) for line in text.splitlines() if line.strip()), file)
        if suffix == ".json":
            whole = _loads(text)
            return _records(
                whole["rows"] if isinstance(whole, dict) and "rows" in whole else whole, file
            )
    except OSError as error:
        raise _usage(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _usage(f"{file}: is not UTF-8 text") from None
    except ValueError as error:
        raise _usage(f"{file}: is not JSON: {error}") from None
    raise _usage(f"{file}: rows come as .csv, .tsv, .json or .ndjson")


def _loads(text: str) -> object:
    def refuse(token: str) -> None:
        raise ValueError(f"{token} is no JSON number")

    return json.loads(text, parse_constant=refuse)


def _records(rows: object, file: Path) -> list[Mapping[str, Cell]]:
    listed = list(rows) if isinstance(rows, Iterable) and not isinstance(rows, str | dict) else None
    if listed is None or not all(isinstance(row, dict) for row in listed):
        raise _usage(f"{file}: expected a list of records")
    return listed


def _typed(row: Mapping[str, str], features: Sequence[Json], where: str) -> dict[str, Cell]:
    """Each cell in its column's type; unknown columns go as text, for the service to name."""
    types = {feature["name"]: feature["type"] for feature in features}
    return {
        name: _cell(value, types.get(name, "category"), f"{where}: {name}")
        for name, value in row.items()
    }


def _cell(value: str, kind: str, where: str) -> Cell:
    if value in _MISSING:
        return None
    if kind == "number":
        try:
            return int(value) if value.lstrip("+-").isdecimal() else float(value)
        except ValueError:
            raise _usage(f"{where}: expected a number, such as 1.5") from None
    if kind == "boolean":
        if value.lower() not in {"true", "false"}:
            raise _usage(f"{where}: expected true or false")
        return value.lower() == "true"
    return value


def _usage(message: str) -> CommandError:
    return CommandError(message, ExitCode.USAGE)
