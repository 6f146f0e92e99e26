"""Exports come with a certificate of what they were really tried on."""

import hashlib
import json
import shutil
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from core.export.formats import FORMATS

ADDRESS = "/v1/models/penguins/versions/1/export"
ALL = ("safetensors", *FORMATS)
PROGRAMS = {"javascript": "node", "c": "gcc"}


@pytest.mark.parametrize("name", ALL)
def test_every_format_is_certified_on_real_and_adversarial_rows(client, model, name):
    answer = client.get(ADDRESS, params={"format": name})
    assert answer.status_code == 200, answer.text
    certificate = client.get(answer.headers["link"].split(">")[0][1:]).json()
    assert certificate["export_sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert certificate["real_rows"] == 200
    assert certificate["adversarial_rows"] > 100
    if shutil.which(PROGRAMS.get(name, "sh")) is None:
        assert (certificate["executed"], certificate["other_labels"]) == (False, None)
        return
    assert certificate["executed"], certificate["reason"]
    assert certificate["largest_absolute_difference"] < 1e-5
    assert certificate["other_labels"] == 0
    again = client.get(ADDRESS, params={"format": name},
                       headers={"If-None-Match": answer.headers["etag"]})  # fmt: skip
    assert again.status_code == 304


def test_the_onnx_file_predicts_the_penguins(client, model):
    content = client.get(ADDRESS, params={"format": "onnx"}).content
    rows = client.get("/v1/datasets/ds_sample_penguins/rows", params={"limit": 50}).json()["data"]
    features = [feature["name"] for feature in client.get("/v1/models/penguins/versions/1")
                .json()["signature"]["features"]]  # fmt: skip
    rows = [{name: row[name] for name in features} for row in rows]
    told = client.post("/v1/models/penguins/versions/1/predict", json={"rows": rows}).json()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    feed = {}
    for tensor in session.get_inputs():
        cells = [row[tensor.name] for row in rows]
        texts = tensor.type == "tensor(string)"
        feed[tensor.name] = np.array(
            [(cell or "") if texts else np.nan if cell is None else cell for cell in cells],
            object if texts else float,
        )[:, None]
    labels = session.run(["label"], feed)[0].tolist()
    assert labels == [row["label"] for row in told["predictions"]]


def test_the_python_file_runs_from_the_shell(client, model, tmp_path):
    path = tmp_path / "penguins.py"
    answer = client.get(ADDRESS, params={"format": "python"})
    assert answer.headers["content-disposition"] == 'attachment; filename="penguins-1.py"'
    path.write_bytes(answer.content)
    row = ["Biscoe", 46.1, 13.2, 211, 4500, "female", 2007]
    out = subprocess.run([sys.executable, "-I", str(path)], input=json.dumps(row), text=True,
                         capture_output=True, check=True).stdout  # fmt: skip
    told = client.post("/v1/models/penguins/versions/1/predict", json={"rows": [row]}).json()
    assert json.loads(out)["label"] == told["predictions"][0]["label"]


def test_exports_that_are_not_there_are_told(client, model):
    assert client.get("/v1/models/nobody/versions/1/export").status_code == 404
    assert client.get(ADDRESS, params={"format": "pickle"}).status_code == 422


def test_dates_are_refused_where_the_format_cannot_read_them(client):
    days = [f"20{at % 20:02d}-0{1 + at % 9}-15,{at % 2}" for at in range(60)]
    headers = {"Content-Type": "text/csv"}
    table = "\n".join(["when,y", *days])
    dataset = client.post("/v1/datasets", content=table, headers=headers).json()["id"]
    body = {
        "dataset": dataset, "target": "y", "model": "dated", "seed": 1, "features": ["when"],
        "preprocessing": {"columns": {"when": {"encoding": "date"}}},
    }  # fmt: skip
    job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "succeeded", job
    refused = client.get("/v1/models/dated/versions/1/export", params={"format": "onnx"})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/export-unsupported")
    fine = client.get("/v1/models/dated/versions/1/export/certificate", params={"format": "python"})
    assert fine.json()["largest_absolute_difference"] < 1e-5
