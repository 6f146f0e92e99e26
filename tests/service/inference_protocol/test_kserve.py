"""KServe's own client. It brings a hundred packages, so it lives in an environment of its own:
SIGMOID_KSERVE names that environment's Python (pip install kserve==0.21.0).
"""

import json
import os
import subprocess

import pytest

PYTHON = os.environ.get("SIGMOID_KSERVE")
SCRIPT = """
import asyncio, json, sys
from kserve import InferInput, InferRequest
from kserve.inference_client import InferenceRESTClient, RESTConfig

async def main(url, columns):
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30, retries=0))
    ready = [await client.is_server_live(url), await client.is_server_ready(url),
             await client.is_model_ready(url, "penguins")]
    kinds = {str: "BYTES", float: "FP64"}
    inputs = [InferInput(name, [len(cells)], kinds[type(cells[0])], cells)
              for name, cells in columns.items()]
    request = InferRequest(model_name="penguins", infer_inputs=inputs)
    answer = await client.infer(url, request, model_name="penguins")
    return {"ready": ready, "labels": list(answer.outputs[0].data)}

print(json.dumps(asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))))
"""


@pytest.mark.skipif(PYTHON is None, reason="SIGMOID_KSERVE names no Python that has KServe")
def test_kserves_client_infers(server, client, model):
    assert PYTHON is not None
    columns = {
        "island": ["Biscoe", "Dream"], "bill_length_mm": [46.1, 39.5],
        "bill_depth_mm": [13.2, 17.4], "flipper_length_mm": [211.0, 186.0],
        "body_mass_g": [4500.0, 3800.0], "sex": ["female", "male"], "year": [2007.0, 2008.0],
    }  # fmt: skip
    command = [PYTHON, "-c", SCRIPT, server, json.dumps(columns)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    told = client.post("/v1/models/penguins/predict", json={"rows": rows}).json()["predictions"]
    assert json.loads(found.stdout.splitlines()[-1]) == {
        "ready": [True, True, True],
        "labels": [row["label"] for row in told],
    }
