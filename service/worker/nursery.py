"""Imported by the forkserver, once: every job's process starts with all this in memory and warm."""

import gc
import tempfile
from pathlib import Path

from service.datasets.generators import generate
from service.datasets.reading import write
from service.jobs.messages import Assignment
from service.worker import runner

_SPEC = {
    "task": "multiclass",
    "preprocessing": {"scaling": "standardize", "missing": "impute", "unseen": "other"},
    "network": {"layers": [{"units": 2, "activation": "sigmoid"}]},
    "training": {
        "loss": "categorical_cross_entropy",
        "optimizer": {"name": "adam", "learning_rate": 0.01},
        "epochs": 2,
        "batch_size": 16,
        "l2": 0.0,
        "clip": None,
        "validation": {"fraction": 0.2},
        "early_stopping": None,
        "max_seconds": 60.0,
    },
    "seed": 0,
}


def rehearse() -> None:
    """Run a whole job on a few generated rows: compiles the kernels or loads them, and makes
    every library do what it does once only.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blobs.parquet"
        table = generate("blobs", 40, 0.1, 0)
        write(table, path)
        *features, target = table.column_names
        spec = {**_SPEC, "features": features, "target": target}
        list(runner.run(Assignment(spec, str(path), "")))


rehearse()
gc.collect()
gc.freeze()  # a collection in a child would touch, and so copy, every page of what is here
