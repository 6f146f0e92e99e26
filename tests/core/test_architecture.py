import ast
import subprocess
import sys
from pathlib import Path

import pytest

import core

FOLDER = Path(core.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
THIRD_PARTY = {
    "approximations": {"numpy", "numba"},
    "compilation": {"numpy", "numba", "llvmlite"},
    "crew": {"numba", "llvmlite"},
    "products": {"numba", "llvmlite"},
    "routines": {"numba"},
    "files": {"numpy", "safetensors"},
}
SERVING = ["model", "files", "preprocessing", "network", "activations", "targets"]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "core").split(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_the_core_may(module):
    allowed = {"core", *sys.stdlib_module_names} | THIRD_PARTY.get(module, {"numpy"})
    assert set(imported(FOLDER / f"{module}.py")) <= allowed


@pytest.mark.parametrize("module", SERVING)
def test_serving_loads_no_compiler(module):
    script = f"import sys, core.{module}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def public(nodes):
    kinds = (ast.FunctionDef, ast.ClassDef)
    for node in nodes:
        if isinstance(node, kinds) and not node.name.startswith("_"):
            yield node
            yield from public(node.body if isinstance(node, ast.ClassDef) else ())


@pytest.mark.parametrize("module", MODULES)
def test_everything_public_is_described(module):
    tree = ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert [node.name for node in public(tree.body) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("module", sorted({*MODULES} - {"compilation"}))  # has a cache folder
def test_a_module_reads_and_writes_no_files(module):
    names = {
        node.id
        for node in ast.walk(ast.parse((FOLDER / f"{module}.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Name)
    }
    assert not names & {"open", "print", "input", "Path"}


def test_training_runs_with_nothing_but_numpy_and_numba():
    """scipy is there for its BLAS alone, which Numba looks up."""
    program = """
import sys
for name in ("pydantic", "fastapi", "sqlalchemy", "pyarrow", "safetensors", "orjson", "sklearn",
             "msgspec", "onnx", "optuna", "service"):
    sys.modules[name] = None  # importing it fails
import numpy as np
from core.network import Layer, Network
from core.training import Recipe, fit
x = np.linspace(-1, 1, 20, dtype=np.float32)[:, None]
network = Network(1, (Layer(4, "tanh"),), 1, "identity")
run = fit(network, Recipe("mse", epochs=30, learning_rate=0.05), x, x * x)
assert np.isfinite(network.forward(run.theta, x)).all()
"""
    root = FOLDER.parent
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
