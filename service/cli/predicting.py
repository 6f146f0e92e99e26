"""`sigmoid predict`: rows in, answers out."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from service.cli.client import Client, Json
from service.cli.exits import CommandError, ExitCode
from service.cli.report import print_predictions
from service.cli.values import Cell, rows_of, typed_row

_BATCH = 1_000  # rows of one request; far below the service's limits of rows and bytes


def predict(url: str, model: str, rows: Sequence[str], file: Path | None, *, as_json: bool) -> None:
    """Predict typed rows or those of a file. `model` is NAME or NAME@VERSION."""
    if bool(rows) == (file is not None):
        raise CommandError("Give rows by --row, or a file of them by --file.", ExitCode.USAGE)
    with Client(url) as client:
        version = _version(client, model)
        features = version["signature"]["features"]
        given: Sequence[Mapping[str, Cell]]
        given = (
            [typed_row(row, features) for row in rows] if file is None else rows_of(file, features)
        )
        path = (
            f"/v1/models/{quote(version['model'], safe='')}/versions/{version['version']}/predict"
        )
        answers = [
            client.post(path, {"rows": given[start : start + _BATCH]})
            for start in range(0, len(given), _BATCH)
        ]
    predictions = [prediction for answer in answers for prediction in answer["predictions"]]
    warnings = [warning for answer in answers for warning in answer["warnings"]]
    if as_json:
        whole = {name: version[name] for name in ("model", "version")}
        json.dump({**whole, "predictions": predictions, "warnings": warnings}, sys.stdout)
        sys.stdout.write("\n")
        return
    print_predictions(Console(), predictions)
    for message in dict.fromkeys(warning["message"] for warning in warnings):
        sys.stderr.write(f"note: {message}\n")


def _version(client: Client, model: str) -> Json:
    name, _, wanted = model.partition("@")
    path = f"/v1/models/{quote(name, safe='')}"
    if wanted:
        return client.get(f"{path}/versions/{quote(wanted, safe='')}")
    newest: Json = client.get(path)["versions"][0]
    return newest
