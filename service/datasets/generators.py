"""Artificial data sets, classics of the field. Equal arguments give equal tables."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Floats = npt.NDArray[np.float64]
Columns = dict[str, Floats | list[str]]
Generator = Callable[[np.random.Generator, int, float], Columns]


def generate(kind: str, rows: int, noise: float, seed: int) -> pa.Table:
    """A table of one of the GENERATORS. noise: standard deviation of the normal noise."""
    random = np.random.Generator(np.random.Philox(seed))
    return pa.table(GENERATORS[kind](random, rows, noise))


def _linear(random: np.random.Generator, rows: int, noise: float) -> Columns:
    x = random.uniform(-1, 1, rows)
    return {"x": x, "y": 2 * x + 1 + noise * random.standard_normal(rows)}


def _xor(random: np.random.Generator, rows: int, noise: float) -> Columns:
    points = random.uniform(-1, 1, (rows, 2))
    differs = (points[:, 0] > 0) != (points[:, 1] > 0)
    return _plane(random, points, differs.astype(int), ("same", "different"), noise)


def _circles(random: np.random.Generator, rows: int, noise: float) -> Columns:
    inner = np.arange(rows) % 2
    angle = random.uniform(0, 2 * np.pi, rows)
    radius = np.where(inner, 0.5, 1.0)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    return _plane(random, points, inner, ("outer", "inner"), noise)


def _moons(random: np.random.Generator, rows: int, noise: float) -> Columns:
    lower = np.arange(rows) % 2
    angle = random.uniform(0, np.pi, rows)
    x = np.where(lower, 1 - np.cos(angle), np.cos(angle))
    y = np.where(lower, 0.5 - np.sin(angle), np.sin(angle))
    return _plane(random, np.stack([x, y], axis=1), lower, ("upper", "lower"), noise)


def _spirals(random: np.random.Generator, rows: int, noise: float) -> Columns:
    second = np.arange(rows) % 2
    turn = np.sqrt(random.uniform(0.02, 1, rows)) * 3 * np.pi
    angle = turn + np.pi * second
    points = (turn / (3 * np.pi))[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _plane(random, points, second, ("first", "second"), noise)


def _blobs(random: np.random.Generator, rows: int, noise: float) -> Columns:
    centres = np.array([[0.0, 1.0], [-0.9, -0.5], [0.9, -0.5]])
    blob = np.arange(rows) % 3
    return _plane(random, centres[blob], blob, ("a", "b", "c"), noise)


def _friedman(random: np.random.Generator, rows: int, noise: float) -> Columns:
    """x6 to x10 idle. Friedman, Multivariate adaptive regression splines (1991), section 4.3."""
    x = random.uniform(0, 1, (rows, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y += 10 * x[:, 3] + 5 * x[:, 4] + noise * random.standard_normal(rows)
    columns: Columns = {f"x{i + 1}": x[:, i] for i in range(10)}
    return columns | {"y": y}


def _plane(
    random: np.random.Generator,
    points: Floats,
    labels: npt.NDArray[np.int_],
    names: tuple[str, ...],
    noise: float,
) -> Columns:
    points = points + noise * random.standard_normal(points.shape)
    order = random.permutation(len(points))
    return {
        "x1": points[order, 0],
        "x2": points[order, 1],
        "label": [names[label] for label in labels[order]],
    }


GENERATORS: dict[str, Generator] = {
    "linear": _linear,
    "xor": _xor,
    "circles": _circles,
    "moons": _moons,
    "spirals": _spirals,
    "blobs": _blobs,
    "friedman": _friedman,
}
