"""LitServe: an API class."""

import sys
from typing import Any

import litserve
import network


class Network(litserve.LitAPI):  # type: ignore[misc]
    """The network as an API of LitServe."""

    def setup(self, device: str) -> None:
        """Nothing to read."""

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The rows."""
        return request["rows"]

    def predict(self, x: Any) -> Any:
        """Probabilities."""
        return network.predict(x)

    def encode_response(self, output: Any) -> dict[str, Any]:
        """As JSON."""
        return {"predictions": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Network(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="error"
    )
