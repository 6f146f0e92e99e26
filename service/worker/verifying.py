"""Comparing what training gave a second time with what it gave the first."""

import hashlib
from pathlib import Path

import msgspec
import numpy as np

from core.errors import ModelInvalid
from core.files import load
from service.jobs.messages import Failed, Trained
from service.worker.environment import ENVIRONMENT


def verify(trained: Trained, against: Path) -> Trained | Failed:
    """The message with what the comparison of the weights found, bit for bit."""
    try:
        content = against.read_bytes()
        if hashlib.sha256(content).hexdigest() != against.stem:
            raise ModelInvalid("its checksum does not fit")
        first, second = load(content).theta, load(trained.model).theta
    except (OSError, ModelInvalid):
        message = "The file of the version is missing or damaged, so nothing can be compared."
        return Failed(trained.points, "model_unreadable", message)
    fits = first.shape == second.shape and first.dtype == second.dtype
    differing, largest = len(first), None
    if fits:
        bits = np.dtype(f"u{first.dtype.itemsize}")
        differing = int(np.count_nonzero(first.view(bits) != second.view(bits)))
        difference = np.abs(first.astype(np.float64) - second.astype(np.float64))
        largest = float(difference.max(initial=0.0))
    found = {
        "identical": fits and differing == 0,
        "same_file": trained.model == content,
        "differing": differing,
        "largest_difference": largest,
        "code_version": trained.lineage["code_version"],
        "environment": ENVIRONMENT,
    }
    return msgspec.structs.replace(trained, model=b"", verified=found)
