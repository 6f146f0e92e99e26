"""No name of a column, a level or a label can be taken for code, in any language."""

import json
import subprocess

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.columns import Category, Numeric
from core.export import c
from core.export.plan import NotExportable, plan_of
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.targets import fit_target
from tests.core.export.test_formats import NODE, check, expected, needs_gcc, needs_node, write

HOSTILE = (
    "label", "probabilities", "value", "predicted_label", "t0", "c1", "_t0", "__t0", "class",
    "None", "constructor", "toString", "__proto__", "10", "9", "*/", "//", '"', "'", "\\", "\n",
    "\r\n", "\u2028", "</script>", "%d", "??/", "int", "\ufeff", "${1}", "`", "'''",
    '"""', "PLAN = {}",
)  # fmt: skip
words = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=8
)
names = st.lists(words, min_size=4, max_size=4, unique=True)
some = settings(
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a compiler a step is too much to shrink by
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def named(found):
    """A model whose columns, levels, labels and target have these names."""
    random = np.random.default_rng(0)
    levels = tuple(sorted(found))
    codes = (np.arange(40) % 4).astype(np.int32)
    table = {found[0]: Numeric(random.normal(size=40)), found[1]: Category(codes, levels)}
    target, _ = fit_target(Category(codes, levels), "multiclass")
    preprocessor = Preprocessor.fit(table, list(table))
    network = Network(preprocessor.width, (Layer(3, "tanh"),), target.outputs, "softmax")
    theta = random.normal(size=network.parameter_count).astype(np.float32)
    model = Model("multiclass", found[2], preprocessor, network, theta, target)
    return model, [[0.5, level] for level in (*levels, "none of them, surely", None)]


def same(answers, model, rows):
    """JavaScript puts names that are whole numbers first: the order is not compared."""
    order = model.target.names
    for answer in answers:
        answer["probabilities"] = {name: answer["probabilities"][name] for name in order}
    check(answers, expected(model, rows), tolerance=1e-4)


@settings(some, max_examples=30)
@given(names)
def test_onnx_takes_every_name(found):
    model, rows = named(found)
    session = onnxruntime.InferenceSession(write(model, "onnx"), providers=["CPUExecutionProvider"])
    assert [tensor.name for tensor in session.get_inputs()] == found[:2]
    feed = {
        found[0]: np.array([[row[0]] for row in rows]),
        found[1]: np.array([[row[1] or ""] for row in rows], object),
    }
    labels, shares = session.run(None, feed)
    told = json.loads(session.get_modelmeta().custom_metadata_map["sigmoid"])["labels"]
    same(
        [
            {"label": label, "probabilities": dict(zip(told, map(float, row), strict=True))}
            for label, row in zip(labels.tolist(), shares, strict=True)
        ],
        model,
        rows,
    )


@settings(some, max_examples=30)
@given(names)
def test_python_takes_every_name(found):
    model, rows = named(found)
    space = {"__name__": "exported"}
    exec(compile(write(model, "python"), "exported", "exec"), space)
    same(space["predict"](rows), model, rows)
    records = [dict(zip(found, row, strict=False)) for row in rows]
    same(space["predict"](records), model, rows)


@needs_node
@settings(some, max_examples=4)
@given(st.lists(names, min_size=8, max_size=8))
def test_javascript_takes_every_name(tmp_path, many):
    models, cases = [named(found) for found in [*many, *_all_hostile()]], {}
    for at, (model, rows) in enumerate(models):
        path = tmp_path / f"model_{at}_{abs(hash(str(many)))}.mjs"
        path.write_bytes(write(model, "javascript"))
        cases[at] = (str(path), rows)
    (tmp_path / "main.mjs").write_text(NODE)
    out = _run(["node", str(tmp_path / "main.mjs")], json.dumps(cases))
    for (model, rows), line in zip(models, out.removesuffix("\n").split("\n"), strict=True):
        same(json.loads(line), model, rows)


@needs_gcc
@settings(some, max_examples=2)
@given(st.lists(names, min_size=4, max_size=4))
def test_c_takes_every_name(tmp_path, many):
    models, sources = [named(found) for found in [*many, *_all_hostile()]], []
    for at, (model, rows) in enumerate(models):
        (tmp_path / f"model_{at}.h").write_bytes(write(model, "c"))
        cells = ",".join(
            f"{{0.5, {'NULL' if level is None else c.quoted(level)}}}" for _, level in rows
        )
        sources.append(tmp_path / f"names_{at}.c")
        sources[-1].write_text(
            f'#include <stdio.h>\n#include "model_{at}.h"\nvoid run_{at}(void);\n'
            f"void run_{at}(void) {{ static const sigmoid_row rows[] = {{{cells}}};\n"
            "double out[SIGMOID_OUTPUTS]; size_t i; int j, best;\n"
            "for (i = 0; i < sizeof rows / sizeof *rows; i++) {\n"
            'best = sigmoid_predict(&rows[i], out); printf("%d", best);\n'
            'for (j = 0; j < SIGMOID_OUTPUTS; j++) printf(" %.9g", out[j]);\n'
            "for (j = 0; sigmoid_labels[best][j]; j++) "
            'printf(" %d", (unsigned char)sigmoid_labels[best][j]);\n'
            'puts(""); } }\n'
        )
    count = len(models)
    declared = "".join(f"void run_{at}(void);" for at in range(count))
    calls = "".join(f"run_{at}();" for at in range(count))
    (tmp_path / "all.c").write_text(f"{declared}\nint main(void){{{calls}return 0;}}\n")
    flags = ["-std=c99", "-O0", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    files = [str(path) for path in (*sources, tmp_path / "all.c")]
    _run(["gcc", *flags, *files, "-o", str(tmp_path / "names"), "-lm"])
    lines = iter(_run([str(tmp_path / "names")]).splitlines())
    for model, rows in models:
        labels, answers = model.target.names, []
        for _ in rows:
            cells = next(lines).split()
            shares = dict(zip(labels, map(float, cells[1:5]), strict=True))
            answers.append({"label": labels[int(cells[0])], "probabilities": shares})
            assert bytes(map(int, cells[5:])).decode() == answers[-1]["label"]
        same(answers, model, rows)


def test_c_refuses_levels_that_its_strings_cannot_hold():
    model, _ = named(["number", "text", "a", "a\0b"])
    with pytest.raises(NotExportable, match="NUL"):
        write(model, "c")


def test_headers_say_names_in_plain_ascii():
    model, _ = named(["*/ int x;", "漢\n#error", "\u2028", "ok"])
    for name, mark in (("python", "#"), ("javascript", "//"), ("c", "")):
        first = write(model, name).split(b"\n")[:4]
        assert all(line.isascii() and line.decode().strip().startswith(mark) for line in first[:3])
        assert b"Model a version 1" in b"".join(first)
        assert plan_of(model, {})["target"]["name"].encode() not in b"".join(first)


def _all_hostile():
    """Every word of the list once, four a model."""
    padded = [*HOSTILE, *(f"more {at}" for at in range(-len(HOSTILE) % 4))]
    return [padded[at : at + 4] for at in range(0, len(padded), 4)]


def _run(command, text=None):
    found = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout
