"""Every format says what the model says, for every activation, normalisation, encoding and task."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from core.activations import ACTIVATIONS
from core.columns import Category, Numeric
from core.export import c, javascript, onnx
from core.export.formats import FORMATS
from core.export.plan import KINDS, NotExportable, plan_of
from core.export.runtimes import model as runtime
from core.features import FEATURES
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.scaling import SCALINGS
from core.several import Quantiles, Several, fit_targets
from core.targets import fit_target

ROWS = 60
TITLE = {"model": "a", "version": 1, "sha256": "0" * 64}
TEXTS = ("plain", "quote\"'", "back\\slash", "line\nbreak", "*/ ??/ //", "</script>", "ünïcode 漢",
         "__proto__", "\u2028", "${x}", "%s %n", "'''")  # fmt: skip
DATES = ("2000-02-29", "1999-12-31T23:59:59.5", "2024-03-01 06:30Z", "0001-01-01", "9999-12-31")
TASKS = ("regression", "binary", "multiclass", "numbers", "flags")
WIDER = ("several", "logarithms", "labels", "counts", "rates", "quantiles")
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="Node runs exported modules")
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc compiles exported headers")


def table(seed=0):
    random = np.random.default_rng(seed)
    numbers = random.normal(50, 20, ROWS)
    with_gaps = np.where(random.random(ROWS) < 0.2, np.nan, random.lognormal(2, 2, ROWS))
    codes = random.integers(-1, len(TEXTS), ROWS).astype(np.int32)
    flags = random.integers(-1, 2, ROWS).astype(np.int32)
    days = random.integers(0, 20_000, ROWS)
    stamps = [str(np.datetime64("1990-01-01T00:00:00") + int(day) * 61_231) for day in days]
    return {
        "number": Numeric(numbers),
        'gaps "and" \\quotes*/': Numeric(with_gaps),
        "__proto__": Category(codes, TEXTS),
        "flag\n": Category(flags, ("false", "true")),
        "when": Category(np.arange(ROWS, dtype=np.int32), tuple(stamps)),
    }


def target_of(task, random):
    if task == "regression":
        return Numeric(random.normal(5, 3, ROWS)), "regression"
    if task == "numbers":
        return Numeric(random.permutation(np.arange(ROWS) % 4).astype(float)), "multiclass"
    if task == "flags":
        return Category(random.integers(0, 2, ROWS).astype(np.int32), ("false", "true")), "binary"
    classes = 2 if task == "binary" else 5
    return Category((np.arange(ROWS) % classes).astype(np.int32), TEXTS[:classes]), task


def fitted(task, random):
    column, kind = target_of(task, random)
    link = {"regression": "identity", "binary": "sigmoid"}.get(kind, "softmax")
    return kind, fit_target(column, kind)[0], link


def wider(task, random):
    """Targets of several numbers a row, or with a link of their own."""
    amounts = [Numeric(random.lognormal(at, 1, ROWS)) for at in range(3)]
    names = ["__proto__", 'b "quoted"', "last"]
    if task in ("several", "logarithms"):
        scaling = "log1p" if task == "logarithms" else "minmax"
        target, _ = fit_targets(amounts, names, "regression", scaling=scaling)
        return "regression", target, "identity"
    if task == "labels":
        columns = [target_of(kind, random)[0] for kind in ("flags", "binary")]
        columns.append(Numeric(random.permutation(np.arange(ROWS) % 2) + 3.0))
        return "multilabel", fit_targets(columns, names, "multilabel")[0], "sigmoid"
    if task in ("counts", "rates"):
        columns = amounts[: 1 if task == "counts" else 3]
        target, _ = fit_targets(columns, names[: len(columns)], "regression", counts=True)
        return "regression", target, "exp"
    levels = (0.05, 0.5, 0.9)
    target, _ = fit_targets(amounts[:1], names[:1], "regression", quantiles=levels)
    return "regression", target, "identity"


def built(task="multiclass", activation="sigmoid", batch_norm=False, seed=0, dates=False, **choice):
    random = np.random.default_rng(seed)
    data = {name: column for name, column in table(seed).items() if dates or name != "when"}
    kind, target, link = wider(task, random) if task in WIDER else fitted(task, random)
    columns = {"when": {"encoding": "date"}} if dates else None
    preprocessor = Preprocessor.fit(data, list(data), columns=columns, **choice)
    layers = (Layer(5, activation, batch_norm=batch_norm), Layer(4, activation))
    network = Network(preprocessor.width, layers, target.outputs, link)
    theta = random.normal(0, 0.7, network.parameter_count).astype(np.float32)
    if batch_norm:
        theta[network.learned_count :] = np.abs(theta[network.learned_count :]) + 0.1
    return Model(kind, '*/ target "\\', preprocessor, network, theta, target)


def cases():
    """One small model for everything that a registry has."""
    found = {f"{name} activation": {"activation": name, "seed": 1} for name in ACTIVATIONS}
    found |= {f"{name} scaling": {"scaling": name, "seed": 2} for name in SCALINGS}
    found |= {f"{task} task": {"task": task, "seed": 3} for task in (*TASKS, *WIDER)}
    found |= {f"{name} missing": {"missing": name, "seed": 4} for name in
              ("impute", "median", "indicator")}  # fmt: skip
    found |= {
        f"{name} encoding": {"encoding": name, "seed": 5} for name in ("ordinal", "frequency")
    }
    found["batch norm"] = {"batch_norm": True, "seed": 6}
    return found


CASES = cases()


def rows_of(model, seed=9):
    """Rows as JSON has them: real ones, and ones that are out of every range."""
    random, rows = np.random.default_rng(seed), []
    for at in range(ROWS):
        row = []
        for feature in model.preprocessor.features:
            if feature.type == "number":
                ends = (feature.minimum, feature.maximum, feature.mean, 0.0, -1e6, 1e6)
                cell = random.choice([*ends, random.normal(50, 20)])
            elif feature.type == "boolean":
                cell = bool(random.integers(2))
            elif feature.type == "date":
                cell = str(random.choice(DATES))
            else:
                cell = str(random.choice([*feature.levels, "never seen", "Plain"]))
            row.append(None if (at + len(row)) % 5 == 0 else cell)
        rows.append([cell.item() if hasattr(cell, "item") else cell for cell in row])
    return rows


def expected(model, rows):
    return model.listed(model.predict_records(rows))


def check(found, told, tolerance=2e-5):
    assert len(found) == len(told)
    for one, other in zip(found, told, strict=True):
        assert one.keys() == other.keys()
        assert list(one) == list(other)
        for name in {"values", "quantiles"} & other.keys():
            assert one[name] == pytest.approx(other[name], rel=5 * tolerance, abs=tolerance)
            assert list(one[name]) == list(other[name])
        if "labels" in other:
            assert one["probabilities"] == pytest.approx(other["probabilities"], abs=tolerance)
            assert list(one["labels"]) == list(other["labels"])
            sure = [key for key, share in other["probabilities"].items()
                    if abs(share - 0.5) > tolerance]  # fmt: skip
            assert [one["labels"][key] for key in sure] == [other["labels"][key] for key in sure]
            assert list(map(type, one["labels"].values())) == list(
                map(type, other["labels"].values())
            )
        if "value" not in other and "label" not in other:
            continue
        if "value" in other:
            assert one["value"] == pytest.approx(other["value"], rel=tolerance, abs=tolerance)
            continue
        shares = list(other["probabilities"].values())
        assert list(one["probabilities"]) == list(other["probabilities"])
        assert list(one["probabilities"].values()) == pytest.approx(shares, abs=tolerance)
        ordered = sorted(shares)
        if ordered[-1] - ordered[-2] > 2 * tolerance:
            assert one["label"] == other["label"]
            assert type(one["label"]) is type(other["label"])


def write(model, name):
    return FORMATS[name].write(plan_of(model, TITLE))


def test_every_format_knows_every_activation_and_kind_of_feature():
    scalars = runtime.activations(runtime.Scalars)
    for known in (scalars, onnx.ACTIVATIONS, c.ACTIVATIONS):
        assert set(known) >= set(ACTIVATIONS)
    text = javascript.source_of("model.mjs")
    for name in (*ACTIVATIONS, *KINDS):
        assert f"\n\t{name}" in text, name
    assert set(runtime.KINDS) == set(KINDS)
    for known in (onnx.KINDS, c.KINDS):
        assert set(known) == set(KINDS) - {"date"}
    assert set(FEATURES) == {
        "number",
        "category",
        "boolean",
        "ordinal",
        "frequency",
        "date",
    }


@pytest.mark.parametrize("case", CASES)
def test_onnx_runtime_says_what_the_model_says(case):
    model = built(**CASES[case])
    rows = rows_of(model)
    session = onnxruntime.InferenceSession(write(model, "onnx"), providers=["CPUExecutionProvider"])
    feed = {}
    for at, feature in enumerate(model.preprocessor.features):
        cells = [row[at] for row in rows]
        if feature.type == "category":
            cells = np.array([cell or "" for cell in cells], object)
        else:
            cells = np.array([np.nan if cell is None else float(cell) for cell in cells])
        feed[feature.name] = cells[:, None]
    found = dict(
        zip([out.name for out in session.get_outputs()], session.run(None, feed), strict=True)
    )
    if "labels" in found:
        pairs = zip(found["probabilities"].tolist(), found["labels"].tolist(), strict=True)
        listed = [named(model.target, shares, places) for shares, places in pairs]
    elif "values" in found or "quantiles" in found:
        numbers = found.get("values", found.get("quantiles"))
        listed = [named(model.target, row) for row in numbers.tolist()]
    elif "value" in found:
        listed = [{"value": float(value)} for value in found["value"][:, 0]]
    else:
        names = json.loads(session.get_modelmeta().custom_metadata_map["sigmoid"])["labels"]
        listed = [
            {"label": label, "probabilities": dict(zip(names, map(float, shares), strict=True))}
            for label, shares in zip(found["label"].tolist(), found["probabilities"], strict=True)
        ]
    check(listed, expected(model, rows))


def named(target, numbers, places=None):
    """One answer as JSON has it, from a format's numbers in the order of the outputs."""
    if isinstance(target, Quantiles):
        return {"quantiles": dict(zip(target.keys, numbers, strict=True))}
    if target.task == "regression":
        return {"values": dict(zip(target.columns, numbers, strict=True))}
    places = [share > 0.5 for share in numbers] if places is None else places
    labels = [part.labels[place] for part, place in zip(target.parts, places, strict=True)]
    return {
        "labels": dict(zip(target.columns, labels, strict=True)),
        "probabilities": dict(zip(target.columns, numbers, strict=True)),
    }


PYTHON = """
import importlib.util, json, sys
for case, (path, rows) in json.load(sys.stdin).items():
    if "--plain" in sys.argv:
        sys.modules["numpy"] = None
    spec = importlib.util.spec_from_file_location("model", path)
    module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)
    assert (module.numpy is None) == ("--plain" in sys.argv)
    print(json.dumps(module.predict(rows)))
"""
NODE = """
import { readFileSync } from "node:fs";
const cases = JSON.parse(readFileSync(0, "utf8"));
for (const [path, rows] of Object.values(cases)) {
  const { predict } = await import(path);
  console.log(JSON.stringify(predict(rows)));
}
"""


def asked(tmp_path, suffix, name):
    """All cases as files, and the rows to ask each."""
    found, models = {}, {}
    for at, (case, choice) in enumerate({**CASES, "dates": {"dates": True}}.items()):
        models[case] = built(**choice)
        path = tmp_path / f"case_{at}.{suffix}"
        path.write_bytes(write(models[case], name))
        found[case] = (str(path), rows_of(models[case]))
    return found, models


@pytest.mark.parametrize("arguments", [[], ["--plain"]], ids=["with NumPy", "without"])
def test_the_python_file_says_what_the_model_says(tmp_path, arguments):
    cases, models = asked(tmp_path, "py", "python")
    command = [sys.executable, "-c", PYTHON, *arguments]
    out = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    for case, line in zip(cases, out.stdout.splitlines(), strict=True):
        check(json.loads(line), expected(models[case], cases[case][1]))


@needs_node
def test_the_javascript_module_says_what_the_model_says(tmp_path):
    cases, models = asked(tmp_path, "mjs", "javascript")
    (tmp_path / "main.mjs").write_text(NODE)
    command = ["node", str(tmp_path / "main.mjs")]
    out = subprocess.run(
        command, input=json.dumps(cases), capture_output=True, text=True, check=True
    )
    for case, line in zip(cases, out.stdout.splitlines(), strict=True):
        check(json.loads(line), expected(models[case], cases[case][1]))


def literal(feature, cell):
    if feature.type == "category":
        return "NULL" if cell is None else c.quoted(cell)
    return "NAN" if cell is None else repr(float(cell))


@needs_gcc
def test_the_c_header_says_what_the_model_says(tmp_path):
    cases = {case: built(**choice) for case, choice in CASES.items()}
    calls = []
    for at, model in enumerate(cases.values()):
        (tmp_path / f"model_{at}.h").write_bytes(write(model, "c"))
        cells = ",\n".join(
            "{" + ", ".join(map(literal, model.preprocessor.features, row)) + "}"
            for row in rows_of(model)
        )
        (tmp_path / f"main_{at}.c").write_text(
            f'#include <stdio.h>\n#include "model_{at}.h"\nvoid run_{at}(void);\n'
            f"void run_{at}(void) {{\n static const sigmoid_row rows[] = {{{cells}}};\n"
            "double out[SIGMOID_OUTPUTS]; size_t i; int j;\n"
            "for (i = 0; i < sizeof rows / sizeof *rows; i++) {\n"
            'printf("%d", sigmoid_predict(&rows[i], out));\n'
            'for (j = 0; j < SIGMOID_OUTPUTS; j++) printf(" %.17g", out[j]);\nprintf("\\n"); }\n}\n'
        )
        calls.append(at)
    declared = "".join(f"void run_{at}(void);" for at in calls)
    body = "".join(f'run_{at}(); puts("-");' for at in calls)
    (tmp_path / "main.c").write_text(
        f"#include <stdio.h>\n{declared}\nint main(void){{{body}return 0;}}\n"
    )
    sources = sorted(str(path) for path in tmp_path.glob("main*.c"))
    flags = ["-std=c99", "-O0", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *flags, *sources, "-o", str(tmp_path / "run"), "-lm"], check=True)
    out = subprocess.run([str(tmp_path / "run")], capture_output=True, text=True, check=True).stdout
    for model, block in zip(cases.values(), out.split("-\n"), strict=False):
        lines = [line.split() for line in block.splitlines()]
        labels = model.target.labels
        listed = [
            named(model.target, list(map(float, cells[1:])))
            if isinstance(model.target, Several | Quantiles)
            else {"value": float(cells[1])} if labels is None
            else {
                "label": labels[int(cells[0])],
                "probabilities": dict(zip(model.target.names, map(float, cells[1:]), strict=True)),
            }
            for cells in lines
        ]  # fmt: skip
        check(listed, expected(model, rows_of(model)), tolerance=1e-4)


def test_what_a_format_cannot_say_is_refused():
    for name in ("onnx", "c"):
        with pytest.raises(NotExportable):
            write(built(dates=True), name)


@pytest.mark.parametrize("name", FORMATS)
def test_equal_models_have_equal_files(name):
    assert write(built(), name) == write(built(), name)


def test_the_python_file_reads_csv_and_names_wrong_columns(tmp_path):
    model = built(task="regression")
    path = tmp_path / "model.py"
    path.write_bytes(write(model, "python"))
    names = model.preprocessor.names
    rows = [["1.5", "", "plain", "true"], ["", "2", "", ""]]
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerows([names, *rows])
    command = [sys.executable, str(path), "--csv"]
    out = subprocess.run(command, input=text.getvalue(), capture_output=True, text=True, check=True)
    told = expected(model, [[1.5, None, "plain", True], [None, 2, None, None]])
    check([json.loads(line) for line in out.stdout.splitlines()], told)
    bad = json.dumps([dict.fromkeys(names, "text")])
    failed = subprocess.run(command[:2], input=bad, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "expected a finite number in column 'number'" in failed.stderr
