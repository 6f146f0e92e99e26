"""Model files from elsewhere: good ones answer as at home, hostile ones are refused."""

import json
import struct
from collections.abc import Callable
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.files import dump, load
from service.kit.problems import Problem
from service.models.importing import claimed, read
from service.settings import Settings
from tests.service.models.conftest import Elsewhere
from tests.service.predictions.test_predictions_over_http import ROW

BINARY = {"Content-Type": "application/octet-stream"}
Description = dict[str, Any]


@pytest.fixture(scope="module")
def trained(elsewhere: Elsewhere) -> tuple[bytes, dict[str, Any]]:
    """A model as another service exports it, and that service's answer."""
    answer = elsewhere.client.post("/v1/models/m/predict", json={"rows": [ROW]}).json()
    path = "/v1/models/m/versions/1/export"
    exported = elsewhere.client.get(path, params={"format": "safetensors"})
    assert exported.status_code == 200, exported.text
    return exported.content, answer


def send(client: httpx2.Client, content: bytes, name: str = "imported") -> httpx2.Response:
    return client.post(f"/v1/models/{name}/import", content=content, headers=BINARY)


def test_an_imported_model_answers_as_at_home(
    client: httpx2.Client, penguins: str, trained: tuple[bytes, dict[str, Any]]
) -> None:
    content, expected = trained

    answer = send(client, content)

    assert answer.status_code == 201, answer.text
    version = answer.json()
    assert version["job"] is None
    assert version["metrics"] == {}
    assert version["lineage"]["imported"] is True
    assert version["lineage"]["seed"] == 1
    assert client.get(answer.headers["Location"]).json() == version
    path = f"/v1/models/imported/versions/{version['version']}"
    found = client.post(f"{path}/predict", json={"rows": [ROW]}).json()
    assert found["predictions"] == expected["predictions"]
    for what in ("card", "report", "schema", "openapi.json", "snippets"):
        assert client.get(f"{path}/{what}").status_code == 200, what
    verified = client.post(f"{path}/verify", headers={"Prefer": "wait=60"}).json()
    assert verified["result"]["verified"]["identical"], "its data set is here, by its content"


def rewritten(content: bytes, change: Callable[[Description], object]) -> bytes:
    """The file with another description, its weights as they were."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    description = json.loads(header["__metadata__"]["sigmoid"])
    change(description)
    text = json.dumps(description, sort_keys=True, separators=(",", ":"))
    header["__metadata__"]["sigmoid"] = text
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    return struct.pack("<Q", len(written)) + written + content[8 + length :]


CHANGES: dict[str, Callable[[Description], object]] = {
    "other task": lambda d: d.update(task="regression"),
    "huge network": lambda d: d["network"].update(inputs=10**12),
    "unknown activation": lambda d: d["network"]["layers"][0].update(activation="os.system"),
    "no description": lambda d: d.clear(),
    "format": lambda d: d.update(format=99),
    "a list": lambda d: d.update(preprocessor=[]),
    "control characters": lambda d: d.update(target_name="a\u0007b"),
    "long name": lambda d: d.update(target_name="x" * 1000),
    "zero scale": lambda d: d["preprocessor"]["features"][1].update(scale=0.0),
    "same column twice": lambda d: d["preprocessor"]["features"][1].update(name="island"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_doctored_file_is_refused(
    client: httpx2.Client, trained: tuple[bytes, object], name: str
) -> None:
    answer = send(client, rewritten(trained[0], CHANGES[name]))

    assert answer.status_code == 422, name
    assert answer.json()["type"] == "/problems/model-invalid"


def test_a_bottomless_description_is_refused(
    client: httpx2.Client, trained: tuple[bytes, object]
) -> None:
    depth = 100_000
    deep = "[" * depth + "]" * depth

    def written(description: str) -> bytes:
        header = json.dumps({"__metadata__": {"sigmoid": description}}).encode()
        return struct.pack("<Q", len(header)) + header

    assert send(client, written(deep)).status_code == 422
    assert send(client, written(f'{{"metadata":{deep},"format":1}}')).status_code == 422


def test_weights_that_are_no_numbers_are_refused(
    client: httpx2.Client, trained: tuple[bytes, object]
) -> None:
    content = bytearray(trained[0])
    content[-4:] = np.float32(np.nan).tobytes()

    assert send(client, bytes(content)).status_code == 422


@pytest.mark.parametrize(
    "content", [b"", b"\x00", b"\xff" * 8, struct.pack("<Q", 2**63), b"PK\x03\x04", b"\x80\x04."]
)
def test_what_is_no_model_is_refused(client: httpx2.Client, content: bytes) -> None:
    assert send(client, content).status_code == 422


def test_no_byte_can_be_changed_unnoticed_or_fatally(
    client: httpx2.Client, trained: tuple[bytes, object]
) -> None:
    content = trained[0]
    length = struct.unpack("<Q", content[:8])[0]

    @settings(max_examples=150, deadline=None, derandomize=True, database=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.integers(0, 8 + length - 1), st.integers(1, 255))
    def change(position: int, mask: int) -> None:
        doctored = bytearray(content)
        doctored[position] ^= mask

        assert send(client, bytes(doctored), "fuzzed").status_code in (201, 422)

    change()


def test_a_file_beyond_the_limits_is_refused(
    trained: tuple[bytes, object], elsewhere: Elsewhere
) -> None:
    with pytest.raises(Problem) as caught:
        read(trained[0], Settings(max_parameters=10))
    assert "10 weights" in caught.value.detail

    assert send(elsewhere.client, bytes(100_001)).status_code == 413


def test_only_bytes_are_taken(client: httpx2.Client) -> None:
    answer = client.post("/v1/models/imported/import", json={})

    assert answer.status_code == 415
    assert send(client, b"", "No Name").status_code == 422


def test_a_claim_that_is_not_well_formed_is_left_out(trained: tuple[bytes, object]) -> None:
    told = load(trained[0]).metadata["lineage"]
    assert claimed({"lineage": told})["spec"] == told["spec"]

    for wrong in (
        {**told, "dataset_sha256": "../../etc/passwd"},
        {**told, "spec": {**told["spec"], "network": {"layers": 5}}},
        {**told, "seed": "x"},
        [],
        None,
    ):
        assert claimed({"lineage": wrong}) == {}


def test_hostile_metadata_harm_no_document(
    client: httpx2.Client, trained: tuple[bytes, object]
) -> None:
    from dataclasses import replace

    model = load(trained[0])
    hostile = {"lineage": {"spec": {"network": {"layers": 5}}, "environment": [1]}, "x": ["<b>"]}
    answer = send(client, dump(replace(model, metadata=hostile)), "hostile-file")
    assert answer.status_code == 201

    for what in ("card", "report", "schema", "openapi.json", "snippets"):
        assert client.get(f"{answer.headers['Location']}/{what}").status_code == 200
    assert client.post(f"{answer.headers['Location']}/verify").status_code == 409
