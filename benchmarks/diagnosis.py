"""How often the doctor is right: runs made healthy or sick by construction, and judged blindly.

    python -m benchmarks.diagnosis [--seeds 100 6] [--json FILE]

A sickness is made by changing one thing of a healthy job (the learning rate times 100, initial
weights times 0.01, ten rows, a copy of the target among the columns); no rule's threshold is used
to make it. Thresholds were chosen on seeds below 100; the figures are of seeds from 100 on.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.columns import Category, Column, Numeric
from core.diagnosis import RULES, diagnose, profile
from core.initializers import initialize
from core.losses import LOSSES
from core.network import Network
from core.preprocessing import Preprocessor
from core.splits import split
from core.targets import fit_target
from core.training import Fit
from service.datasets.generators import generate
from service.jobs.merging import merge
from service.jobs.recipe import network as network_of
from service.jobs.recipe import recipe
from service.worker.doctor import Doctor, guessing_loss

SETS = ("moons", "circles", "blobs", "spirals", "friedman", "linear3")
TEST_ROWS = 600
Spec = dict[str, Any]
Table = dict[str, Column]


@dataclass
class Patient:
    """A job and its data. fresh: rows of the same source that only judge the fix."""

    spec: Spec
    table: Table
    fresh: Table
    sick: str | None
    target: str
    outside: bool = False  # targets for a sigmoid output that lie outside (0, 1)


@dataclass
class Tally:
    """What came out for one rule."""

    cases: int = 0
    found: int = 0
    fixed: int = 0
    tried: int = 0
    missed: list[str] = field(default_factory=list)


def table_of(kind: str, rows: int, seed: int) -> tuple[Table, str]:
    """A generated table as the core sees it, and its target."""
    random = np.random.Generator(np.random.Philox([seed, 7]))
    if kind == "linear3":
        x = random.uniform(-1, 1, (rows, 3))
        y = x @ [1.0, -2.0, 0.5] + 0.2 * random.standard_normal(rows)
        return {**{f"x{i}": Numeric(x[:, i]) for i in range(3)}, "y": Numeric(y)}, "y"
    noise = {"spirals": 0.02, "friedman": 0.5, "blobs": 0.35}.get(kind, 0.15)
    made = generate(kind, rows, noise, seed)
    columns: Table = {}
    for name in made.column_names:
        values = made.column(name).to_pylist()
        if isinstance(values[0], str):
            levels = tuple(sorted(set(values)))
            codes = np.array([levels.index(value) for value in values], np.int32)
            columns[name] = Category(codes, levels)
        else:
            columns[name] = Numeric(np.array(values, float))
    return columns, made.column_names[-1]


def healthy(kind: str, seed: int, rows: int = 600) -> Patient:
    """A job as one sends it who knows what he does."""
    activation = ("sigmoid", "tanh", "relu", "leaky_relu")[seed % 4]
    table, target = table_of(kind, rows + TEST_ROWS, seed)
    fresh = {name: _rows(column, slice(rows, None)) for name, column in table.items()}
    table = {name: _rows(column, slice(0, rows)) for name, column in table.items()}
    spec: Spec = {
        "features": [name for name in table if name != target],
        "target": target,
        "task": "regression" if isinstance(table[target], Numeric) else _task(table[target]),
        "preprocessing": {"scaling": "standardize", "missing": "impute", "unseen": "other"},
        "network": {
            "layers": [{"units": 16, "activation": activation}] * (1 + seed % 2),
            "init": "auto",
        },
        "training": {
            "optimizer": {"name": "adam", "learning_rate": 0.01},
            "epochs": 150,
            "batch_size": 16,
            "l2": 0.0,
            "clip": None,
            "early_stopping": {"patience": 20},
        },
        "seed": seed,
    }
    if kind == "spirals":  # takes more than the others
        spec["network"]["layers"] = [{"units": 32, "activation": activation}] * 2
        spec["training"] |= {"epochs": 300, "early_stopping": {"patience": 60}}
    return Patient(spec, table, fresh, None, target)


def _task(column: Column) -> str:
    assert isinstance(column, Category)
    return "binary" if len(column.levels) == 2 else "multiclass"


def _rows(column: Column, rows: Any) -> Column:
    if isinstance(column, Numeric):
        return Numeric(column.values[rows])
    return Category(column.codes[rows], column.levels)


Sickness = Callable[[Patient, int], None]
SICKNESSES: dict[str, Sickness] = {}


def sickness(function: Sickness) -> Sickness:
    """Add to the registry; the name is the rule that ought to speak."""
    SICKNESSES[function.__name__] = function
    return function


def _layers(patient: Patient, count: int, units: int, activation: str) -> None:
    layer = {"units": units, "activation": activation}
    patient.spec["network"]["layers"] = [dict(layer) for _ in range(count)]


def _rate(patient: Patient, factor: float) -> None:
    patient.spec["training"]["optimizer"]["learning_rate"] *= factor


def _numbers(patient: Patient) -> list[str]:
    return [name for name in patient.spec["features"] if isinstance(patient.table[name], Numeric)]


def _map(patient: Patient, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    for table in (patient.table, patient.fresh):
        column = table[name]
        assert isinstance(column, Numeric)
        table[name] = Numeric(change(column.values))


@sickness
def vanishing_gradient(patient: Patient, seed: int) -> None:
    _layers(patient, 6 + seed % 3, 16, "sigmoid")
    patient.spec["training"]["optimizer"] = {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}


@sickness
def exploding_gradient(patient: Patient, seed: int) -> None:
    _layers(patient, 4, 32, "relu")
    patient.spec["network"]["init"] = 8.0
    patient.spec["training"]["optimizer"] = {"name": "sgd", "learning_rate": 0.01, "momentum": 0.9}


@sickness
def saturated_activation(patient: Patient, seed: int) -> None:
    _layers(patient, 2, 16, ("sigmoid", "tanh")[seed % 2])
    patient.spec["preprocessing"]["scaling"] = "none"
    for name in _numbers(patient):
        _map(patient, name, lambda values: values * 100.0)


@sickness
def dead_units(patient: Patient, seed: int) -> None:
    _layers(patient, 2, 16, "relu")
    patient.spec["network"]["init"] = "negative"


@sickness
def poor_initialisation(patient: Patient, seed: int) -> None:
    _layers(patient, 3, 16, "tanh")
    patient.spec["network"]["init"] = (0.01, 20.0)[seed % 2]


@sickness
def loss_not_decreasing(patient: Patient, seed: int) -> None:
    _rate(patient, 1e-6)


@sickness
def loss_plateau(patient: Patient, seed: int) -> None:
    _layers(patient, 8, 16, "sigmoid")
    patient.spec["training"]["optimizer"] = {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}
    patient.spec["training"]["early_stopping"] = None


@sickness
def overfitting(patient: Patient, seed: int) -> None:
    random = np.random.Generator(np.random.Philox([seed, 11]))
    for table, count in ((patient.table, 120), (patient.fresh, None)):
        for name in table:
            table[name] = _rows(table[name], slice(0, count))
    column = patient.table[patient.target]
    if isinstance(column, Numeric):
        noise = column.values.std() * random.standard_normal(len(column.values))
        patient.table[patient.target] = Numeric(column.values + noise)
    else:
        drawn = random.integers(0, len(column.levels), len(column.codes))
        wrong = random.uniform(size=len(drawn)) < 0.3
        codes = np.where(wrong, drawn, column.codes).astype(np.int32)
        patient.table[patient.target] = Category(codes, column.levels)
    for i in range(8):  # columns of noise, to learn by heart with
        name = f"noise{i}"
        for table in (patient.table, patient.fresh):
            table[name] = Numeric(random.standard_normal(_count(table)))
        patient.spec["features"].append(name)
    _layers(patient, 2, 64, ("tanh", "relu")[seed % 2])
    patient.spec["training"] |= {"early_stopping": None, "epochs": 300}


def _count(table: Table) -> int:
    column = next(iter(table.values()))
    return len(column.values if isinstance(column, Numeric) else column.codes)


@sickness
def underfitting(patient: Patient, seed: int) -> None:
    if seed % 2 or patient.spec["task"] == "regression":
        patient.spec["training"]["l2"] = 1.0
    else:
        _layers(patient, 1, 1, "sigmoid")
        patient.spec["training"]["l2"] = 0.1


@sickness
def unstable(patient: Patient, seed: int) -> None:
    _rate(patient, 100.0)
    patient.spec["training"]["early_stopping"] = None


@sickness
def too_slow(patient: Patient, seed: int) -> None:
    _rate(patient, 0.01)
    patient.spec["training"]["epochs"] = 20


@sickness
def class_imbalance(patient: Patient, seed: int) -> None:
    column = patient.table[patient.target]
    assert isinstance(column, Category)
    rare = np.flatnonzero(column.codes == 0)
    kept = np.sort(np.concatenate([np.flatnonzero(column.codes != 0), rare[: len(rare) // 16]]))
    for name in patient.table:
        patient.table[name] = _rows(patient.table[name], kept)


@sickness
def leaking_column(patient: Patient, seed: int) -> None:
    random = np.random.Generator(np.random.Philox([seed, 13]))
    column = patient.table[patient.target]
    if isinstance(column, Numeric):
        patient.table["copy"] = Numeric(column.values * 3.0 + 1.0)
    else:
        patient.table["copy"] = Numeric(column.codes.astype(float))
    size = _count(patient.fresh)  # on new rows the copy is not known
    known = patient.table["copy"].values
    patient.fresh["copy"] = Numeric(random.choice(known, size))
    patient.spec["features"].append("copy")


@sickness
def constant_or_id_like_column(patient: Patient, seed: int) -> None:
    size, more = _count(patient.table), _count(patient.fresh)
    if seed % 2:
        patient.table["number"] = Numeric(np.arange(size, dtype=float))
        patient.fresh["number"] = Numeric(np.arange(size, size + more, dtype=float))
    else:
        patient.table["number"] = Numeric(np.full(size, 3.0))
        patient.fresh["number"] = Numeric(np.full(more, 3.0))
    patient.spec["features"].append("number")


@sickness
def unscaled_input(patient: Patient, seed: int) -> None:
    patient.spec["preprocessing"]["scaling"] = "none"
    _map(patient, _numbers(patient)[0], lambda values: 1_000.0 * values + 5_000.0)


@sickness
def target_outside_output_range(patient: Patient, seed: int) -> None:
    patient.outside = True


@sickness
def too_few_rows(patient: Patient, seed: int) -> None:
    column, count = patient.table[patient.target], 10 + seed % 6
    kept = np.arange(count)
    if isinstance(column, Category):  # of each class as many
        share = count // len(column.levels)
        each = [np.flatnonzero(column.codes == at)[:share] for at in range(len(column.levels))]
        kept = np.sort(np.concatenate(each))
    for name in patient.table:
        patient.table[name] = _rows(patient.table[name], kept)


def suits(name: str, kind: str) -> bool:
    """Whether the sickness makes sense with this data."""
    numbers = kind in ("friedman", "linear3")
    if name == "class_imbalance":
        return not numbers
    if name == "target_outside_output_range":
        return numbers
    if name in ("underfitting", "loss_plateau"):
        return kind not in ("blobs",)
    if name == "leaking_column":  # beside columns that tell a part, not all
        return kind != "blobs"
    return True


def start(network: Network, spec: Spec) -> np.ndarray:
    """The initial weights that the job asks for."""
    theta = initialize(network, spec["seed"], "float32")
    init = spec["network"].get("init", "auto")
    if init == "negative":
        for _, biases in network.views(theta)[:-1]:
            biases[:] = -6.0
    elif init != "auto":
        theta *= np.float32(init)
    return theta


def examine(patient: Patient) -> tuple[list[Any], float]:
    """Train; the findings, and the loss on fresh rows (inf when it diverged)."""
    spec = json.loads(json.dumps(patient.spec))
    task, column = spec["task"], patient.table[patient.target]
    spec["training"]["loss"] = {
        "regression": "mse",
        "binary": "binary_cross_entropy",
        "multiclass": "categorical_cross_entropy",
    }[task]
    target, present = fit_target(column, task, name=patient.target)
    classes = None if task == "regression" else target.truth(column, present)
    parts = split(present, classes=classes, fraction=0.2, seed=spec["seed"])
    target, _ = fit_target(column, task, rows=parts.train, name=patient.target)
    preprocessor = Preprocessor.fit(
        patient.table, spec["features"], rows=parts.train, **spec["preprocessing"]
    )
    x, _ = preprocessor.transform(patient.table, parts.train)
    xv, _ = preprocessor.transform(patient.table, parts.validation)
    xf, _ = preprocessor.transform(patient.fresh)
    y, yv = target.encode(column, parts.train), target.encode(column, parts.validation)
    yf = target.encode(patient.fresh[patient.target], np.arange(_count(patient.fresh)))
    if (
        patient.outside
        and spec["training"]["loss"] == "mse"
        and "loss" not in patient.spec["training"]
    ):
        spec["training"]["loss"] = "binary_cross_entropy"
    network = network_of(spec, preprocessor.width, target.outputs)
    kinds = None if task == "regression" else len(target.labels)
    within = np.clip(y, 0, 1) if patient.outside else y
    guessing = guessing_loss(spec["training"], within, target.outputs)
    data = profile(patient.table, spec["features"], parts.train, x, y, kinds, guessing)
    usual = merge(spec, {"network": {"init": "auto"}})  # what is odd is in the weights given
    fit = Fit(network, recipe(usual), x, y, validation=(xv, yv), theta=start(network, spec))
    doctor = Doctor(spec, network, data, x, y, fit.theta)
    while not fit.done:
        doctor.note([vars(epoch) for epoch in fit.advance(1 << 20)])
    found = diagnose(doctor.case(fit.theta, fit.stop_reason))
    if fit.stop_reason == "diverged":
        return found, float("inf")
    if patient.outside:  # in the units of both: squared error
        return found, float(((network.forward(fit.theta, xf) - yf) ** 2).mean())
    loss = LOSSES[spec["training"]["loss"]]
    return found, float(loss.value(network.logits(fit.theta, xf), yf, loss.parameters({})).mean())


def measure(first: int, count: int) -> dict[str, Any]:
    """All patients of these seeds."""
    rules = {name: Tally() for name in SICKNESSES}
    alarms: list[str] = []
    healthy_runs = 0
    for seed in range(first, first + count):
        for kind in SETS:
            patient = healthy(kind, seed)
            found, _ = examine(patient)
            healthy_runs += 1
            if found:
                alarms.append(f"{kind}/{seed}: " + ", ".join(item.rule for item in found))
        for at, name in enumerate(SICKNESSES):
            kinds = [kind for kind in SETS if suits(name, kind)]
            for kind in (kinds[(seed + at) % len(kinds)], kinds[(seed + at + 1) % len(kinds)]):
                patient = healthy(kind, seed)
                SICKNESSES[name](patient, seed)
                treat(rules[name], patient, name, f"{kind}/{seed}")
    return {"healthy": healthy_runs, "alarms": alarms, "rules": rules}


def treat(tally: Tally, patient: Patient, name: str, where: str) -> None:
    """Diagnose, apply the fix, and see on fresh rows whether it helped."""
    found, before = examine(patient)
    tally.cases += 1
    finding = next((item for item in found if item.rule == name), None)
    if finding is None:
        tally.missed.append(f"{where} missed ({', '.join(item.rule for item in found)})")
        return
    tally.found += 1
    if finding.fix is None:
        return
    patient.spec = merge(patient.spec, finding.fix)
    if patient.outside:
        patient.spec["training"].setdefault("loss", "auto")
    _, after = examine(patient)
    tally.tried += 1
    # what does nothing for a network that never looked is no harm, yet counts as no help
    if after < before:
        tally.fixed += 1
    else:
        tally.missed.append(f"{where} fix {before:.4f} -> {after:.4f}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, nargs=2, default=[100, 6])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args(arguments)
    result = measure(*options.seeds)
    share = len(result["alarms"]) / result["healthy"]
    print(
        f"healthy: {result['healthy']} runs, false alarms in {len(result['alarms'])} ({share:.1%})"
    )
    print("| rule | sick runs | found | fix tried | loss on fresh rows lower |")
    print("| --- | --- | --- | --- | --- |")
    for name, tally in result["rules"].items():
        fixed = f"{tally.fixed / tally.tried:.0%}" if tally.tried else "no fix"
        found = f"{tally.found / tally.cases:.0%}"
        print(f"| {name} | {tally.cases} | {found} | {tally.tried} | {fixed} |")
        if options.verbose:
            for line in tally.missed:
                print("    ", line)
    if options.verbose:
        print("\n".join(result["alarms"]))
    assert set(SICKNESSES) == set(RULES)
    if options.json:
        plain = {name: vars(tally) for name, tally in result["rules"].items()}
        options.json.write_text(json.dumps({**result, "rules": plain}, indent=1))


if __name__ == "__main__":
    main()
