"""Running an exported file for real, where this machine can, and answers in our own form."""

import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.export.c import quoted
from core.export.plan import Plan
from core.export.python import write_python
from core.files import load

Rows = list[list[Any]]
Answers = list[dict[str, Any]]
SECONDS = 60.0


class CannotRun(Exception):
    """What would run the file is not here, or it did not run to its end."""


@dataclass(frozen=True)
class Runner:
    """by: what runs the file, for the certificate."""

    by: Callable[[], str]
    run: Callable[[Plan, bytes, Rows], Answers]


def _program(command: list[str], text: str, folder: Path | None = None) -> str:
    name = Path(command[0]).name
    try:
        found = subprocess.run(  # noqa: S603, programs named here
            command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False,
            cwd=folder,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotRun(f"{name} did not come to an end: {type(error).__name__}") from error
    if found.returncode:
        raise CannotRun(f"{name} ended with status {found.returncode}")
    return found.stdout


def _needed(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise CannotRun(f"{name} is not installed where the service runs")
    return found


def _lines(text: str) -> Answers:
    # Not splitlines: Node writes U+2028 inside strings as it is.
    return [json.loads(line) for line in text.split("\n") if line]


def _python(plan: Plan, content: bytes, rows: Rows) -> Answers:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.py"
        path.write_bytes(content)
        return _lines(_program([sys.executable, "-I", str(path)], json.dumps(rows)))


def _json(plan: Plan, content: bytes, rows: Rows) -> Answers:
    return _python(plan, write_python(json.loads(content)), rows)


def _safetensors(plan: Plan, content: bytes, rows: Rows) -> Answers:
    model = load(content)
    return model.listed(model.predict_records(rows))


_NODE = """
import { readFileSync } from "node:fs";
import { predict } from "./model.mjs";
const rows = JSON.parse(readFileSync(0, "utf8"));
for (const row of rows) console.log(JSON.stringify(predict([row])[0]));
"""


def _javascript(plan: Plan, content: bytes, rows: Rows) -> Answers:
    node = _needed("node")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.mjs").write_bytes(content)
        (Path(folder) / "main.mjs").write_text(_NODE)
        return _lines(_program([node, "main.mjs"], json.dumps(rows), Path(folder)))


_MAIN = """
#include <stdio.h>
#include "model.h"
static const sigmoid_row rows[] = {%s};
int main(void) {
  double out[SIGMOID_OUTPUTS]; size_t at; int j;
  for (at = 0; at < sizeof rows / sizeof *rows; at++) {
    printf("%%d", sigmoid_predict(&rows[at], out));
    for (j = 0; j < SIGMOID_OUTPUTS; j++) printf(" %%.17g", out[j]);
    putchar('\\n');
  }
  return 0;
}
"""


def _c(plan: Plan, content: bytes, rows: Rows) -> Answers:
    compiler = _needed("gcc")
    listed = ["{" + ", ".join(map(_literal, plan["features"], row)) + "}" for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "model.h").write_bytes(content)
        (place / "main.c").write_text(_MAIN % ",\n".join(listed))
        _program([compiler, "-std=c99", "-O1", "main.c", "-o", "main", "-lm"], "", place)
        lines = [line.split() for line in _program([str(place / "main")], "", place).splitlines()]
    return [_answer(plan, int(cells[0]), [float(cell) for cell in cells[1:]]) for cells in lines]


def _literal(feature: dict[str, Any], cell: Any) -> str:
    if feature["kind"] in ("one_hot", "lookup"):
        return "NULL" if cell is None else quoted(cell)
    return "NAN" if cell is None else repr(float(cell))


def _answer(plan: Plan, label: int, outputs: list[float]) -> dict[str, Any]:
    target = plan["target"]
    if label < 0:  # refused: what stands in outputs is of no row
        outputs = [math.nan] * len(outputs)
    if "labels" not in target:
        return _named(plan, outputs)
    shares = dict(zip(target["names"], outputs, strict=True))
    return {"label": None if label < 0 else target["labels"][label], "probabilities": shares}


def _named(plan: Plan, outputs: list[float], places: list[int] | None = None) -> dict[str, Any]:
    """The numbers of one answer by name. places: of labels; else as the probabilities have it."""
    target = plan["target"]
    if "quantiles" in target:
        return {"quantiles": dict(zip(target["quantiles"], outputs, strict=True))}
    if "columns" not in target:
        return {"value": outputs[0]}
    columns, parts = target["columns"], target["parts"]
    if plan["link"] != "sigmoid":
        return {"values": dict(zip(columns, outputs, strict=True))}
    chosen = [share > 0.5 for share in outputs] if places is None else places
    labels = [part["labels"][place] for part, place in zip(parts, chosen, strict=True)]
    return {
        "labels": dict(zip(columns, labels, strict=True)),
        "probabilities": dict(zip(columns, outputs, strict=True)),
    }


def _onnx(plan: Plan, content: bytes, rows: Rows) -> Answers:
    import onnx
    from onnx.reference import ReferenceEvaluator

    feed = {}
    for at, feature in enumerate(plan["features"]):
        cells = [row[at] for row in rows]
        if feature["kind"] in ("one_hot", "lookup"):
            column = np.array([cell or "" for cell in cells], object)
        else:
            column = np.array([np.nan if cell is None else float(cell) for cell in cells])
        feed[feature["name"]] = column[:, None]
    session = ReferenceEvaluator(onnx.load_from_string(content))
    with np.errstate(all="ignore"):
        outputs: Any = session.run(None, feed)
    first, *more = outputs
    if not more:
        return [_named(plan, row) for row in first.tolist()]
    if "columns" in plan["target"]:
        pairs = zip(more[0].tolist(), first.tolist(), strict=True)
        return [_named(plan, shares, places) for shares, places in pairs]
    names = plan["target"]["names"]
    return [
        {"label": label, "probabilities": dict(zip(names, map(float, shares), strict=True))}
        for label, shares in zip(first.tolist(), more[0], strict=True)
    ]


def _onnx_by() -> str:
    import onnx

    return f"onnx.reference.ReferenceEvaluator {onnx.__version__}"


def _python_by() -> str:
    return f"Python {sys.version.split()[0]}"


RUNNERS = {
    "safetensors": Runner(lambda: "core.files.load", _safetensors),
    "json": Runner(_python_by, _json),
    "python": Runner(_python_by, _python),
    "javascript": Runner(
        lambda: f"Node {_program([_needed('node'), '--version'], '').strip()}", _javascript
    ),
    "c": Runner(lambda: _program([_needed("gcc"), "--version"], "").splitlines()[0], _c),
    "onnx": Runner(_onnx_by, _onnx),
}
