"""BentoML: a service class."""

import subprocess
import sys
from pathlib import Path

import bentoml
import network


@bentoml.service(workers=1)
class Network:
    """The network as a service of BentoML."""

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> list[list[float]]:
        """Probabilities."""
        found: list[list[float]] = network.predict(rows).tolist()
        return found


if __name__ == "__main__":
    command = [str(Path(sys.executable).parent / "bentoml"), "serve", "bentoml_model:Network",
               "--host", "127.0.0.1", "-p", sys.argv[1]]  # fmt: skip
    subprocess.run(command, check=True)
