"""MLServer: a custom runtime."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import network
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Network(MLModel):  # type: ignore[misc]
    """The network as a model of MLServer."""

    async def load(self) -> bool:
        """Nothing to read."""
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Answer the Open Inference Protocol."""
        rows: Any = NumpyCodec.decode_input(payload.inputs[0])
        output = NumpyCodec.encode_output("probabilities", network.predict(rows))
        return InferenceResponse(model_name=self.name, outputs=[output])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "http_port": int(sys.argv[1]), "grpc_port": int(sys.argv[1]) + 1,
            "metrics_port": int(sys.argv[1]) + 2, "host": "127.0.0.1", "parallel_workers": 0,
            "debug": False,
        }  # fmt: skip
        Path(folder, "settings.json").write_text(json.dumps(settings))
        model = {"name": "net", "implementation": "mlserver_model.Network"}
        Path(folder, "model-settings.json").write_text(json.dumps(model))
        subprocess.run([str(Path(sys.executable).parent / "mlserver"), "start", folder], check=True)
