"""MLflow: a Python function, served by `mlflow models serve`."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import network


class Network(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The network as a model of MLflow."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        """Answer `inputs`."""
        return network.predict(model_input)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model"))
        here = str(Path(__file__).parent)
        mlflow.pyfunc.save_model(path, python_model=Network(), code_paths=[f"{here}/network.py"])
        command = [str(Path(sys.executable).parent / "mlflow"), "models", "serve", "-m", path, "-p",
                   sys.argv[1], "--env-manager", "local", "-w", "1"]  # fmt: skip
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        subprocess.run(command, check=True, env=environment)
