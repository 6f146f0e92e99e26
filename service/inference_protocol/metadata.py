"""What a model takes and gives, as the protocol tells it."""

from typing import Any

from core.model import Model
from service.inference_protocol.outputs import outputs_of
from service.inference_protocol.tables import DATATYPES

PLATFORM = "sigmoid_mlp"
SERVER = "sigmoid"
EXTENSIONS = [
    "binary_tensor_data", "classification", "model_configuration", "model_repository", "statistics",
]  # fmt: skip
_CONFIGURED = {"BYTES": "TYPE_STRING"}


def tensors_of(model: Model) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Inputs and outputs: name, datatype and shape, -1 for the rows."""
    inputs = [
        {"name": feature["name"], "datatype": DATATYPES[feature["type"]], "shape": [-1]}
        for feature in model.signature()["features"]
    ]
    outputs = [
        {
            "name": output.name,
            "datatype": output.datatype,
            "shape": [-1] if output.width is None else [-1, output.width],
        }
        for output in outputs_of(model)
    ]
    return inputs, outputs


def configuration(name: str, model: Model) -> dict[str, Any]:
    """As a Triton server would have it."""
    inputs, outputs = tensors_of(model)
    return {
        "name": name,
        "platform": PLATFORM,
        "backend": SERVER,
        "max_batch_size": 0,  # rows are the tensors' first dimension, told in dims
        "input": [_configured(tensor) for tensor in inputs],
        "output": [_configured(tensor) for tensor in outputs],
    }


def _configured(tensor: dict[str, Any]) -> dict[str, Any]:
    datatype = tensor["datatype"]
    kind = _CONFIGURED.get(datatype, f"TYPE_{datatype}")
    return {"name": tensor["name"], "data_type": kind, "dims": tensor["shape"]}
