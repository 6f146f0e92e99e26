"""A model as one safetensors file: its weights by layer, and one key of canonical JSON.

Equal models have equal bytes: the key's order is the only freedom the format leaves, and there
is one key.
"""

import json
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from core.activations import ACTIVATIONS
from core.calibration import Doubt, doubt_as_json, doubt_from_json
from core.errors import ModelInvalid
from core.model import Model
from core.network import Floats, Network
from core.preprocessing import Preprocessor
from core.several import any_target_from_dict

FORMAT = 1
MAX_HEADER = 16 << 20  # bytes: room for a model of the widest table, and no more to parse
_KEY = "sigmoid"
_LINKS = {"regression": ("identity", "exp"), "binary": ("sigmoid",),
          "multiclass": ("softmax",), "multilabel": ("sigmoid",)}  # fmt: skip
_WRONG = (
    SafetensorError, ValueError, TypeError, KeyError, AttributeError, IndexError,
    OverflowError, RecursionError,
)  # fmt: skip


def dump(model: Model) -> bytes:
    """The file of a model. Raises ModelInvalid for one that could not be loaded again."""
    try:
        _check(model)
        content = _bytes(model)
        if not np.array_equal(_read(content).theta, model.theta):
            raise ValueError("its weights do not come back")
    except _WRONG as error:
        raise ModelInvalid(f"The model cannot be written: {error}.") from error
    return content


def load(content: bytes) -> Model:
    """The model of a file. Raises ModelInvalid for anything that `dump` did not write."""
    try:
        model = _read(content)
        _check(model)
        same = _bytes(model) == content
    except _WRONG as error:
        raise ModelInvalid("This is no model file of this program, or a damaged one.") from error
    if not same:
        raise ModelInvalid("This model file is damaged or was written by another program.")
    return model


def _bytes(model: Model) -> bytes:
    tensors = {}
    for layer, block in enumerate(model.network.blocks(model.theta)):
        for part, values in block.named().items():
            # safetensors 0.8 writes other memory orders wrongly without an error.
            tensors[f"layers.{layer}.{part}"] = np.ascontiguousarray(values)
    description = {
        "format": FORMAT,
        "task": model.task,
        "target_name": model.target_name,
        "target": model.target.to_dict(),
        "preprocessor": model.preprocessor.to_dict(),
        "network": model.network.to_dict(),
        "metadata": model.metadata,
    }
    if model.calibration is not None:
        description["calibration"] = doubt_as_json(model.calibration)
    text = json.dumps(
        description, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return safetensors.save(tensors, metadata={_KEY: text})


def _read(content: bytes) -> Model:
    length = int.from_bytes(content[:8], "little")
    if length > MAX_HEADER:
        raise ValueError("its header is too long")
    tensors = safetensors.load(content)
    description: dict[str, Any] = json.loads(
        json.loads(content[8 : 8 + length])["__metadata__"][_KEY]
    )
    if description["format"] != FORMAT:
        raise ValueError("unknown format")
    network = Network.from_dict(description["network"])
    return Model(
        task=description["task"],
        target_name=description["target_name"],
        preprocessor=Preprocessor.from_dict(description["preprocessor"]),
        network=network,
        theta=_theta(network, tensors),
        target=any_target_from_dict(description["target"]),
        calibration=_calibration(description),
        metadata=description["metadata"],
    )


def _calibration(description: dict[str, Any]) -> Doubt | None:
    if "calibration" not in description:
        return None
    return doubt_from_json(description["calibration"])


def _theta(network: Network, tensors: dict[str, Any]) -> Floats:
    """The flat vector of a file's tensors. Raises KeyError or ValueError where they do not fit."""
    dtypes = {values.dtype for values in tensors.values()}
    if len(dtypes) != 1:
        raise ValueError("its tensors are of several types")
    if sum(values.size for values in tensors.values()) != network.parameter_count:
        raise ValueError("its tensors do not fit the network")
    theta: Floats = np.zeros(network.parameter_count, dtypes.pop())
    for layer, block in enumerate(network.blocks(theta)):
        for part, values in block.named().items():
            values[...] = tensors[f"layers.{layer}.{part}"].reshape(values.shape)
    return theta


def _check(model: Model) -> None:
    """Raise ValueError where the parts of a model do not fit each other."""
    network, theta = model.network, model.theta
    fits = (
        model.task == model.target.task
        and network.link in _LINKS[model.task]
        and network.inputs == model.preprocessor.width
        and network.outputs == model.target.outputs
        and network.embeddings == model.preprocessor.embeddings
        and all(layer.activation in ACTIVATIONS and layer.units > 0 for layer in network.layers)
        and theta.dtype in (np.float32, np.float64)
        and theta.shape == (network.parameter_count,)
        and isinstance(model.target_name, str)
        and isinstance(model.metadata, dict)
    )
    if not fits:
        raise ValueError("its parts do not fit together")
    if not np.isfinite(theta).all():
        raise ValueError("its weights are not finite")
