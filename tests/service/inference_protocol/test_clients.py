"""The protocol's own clients, as they come from PyPI, against the running service."""

import asyncio

import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

ROWS = {
    "island": ["Biscoe", "Dream", None],
    "bill_length_mm": [46.1, 39.5, None],
    "bill_depth_mm": [13.2, 17.4, 18.0],
    "flipper_length_mm": [211, 186, 195],
    "body_mass_g": [4500, 3800, 3250],
    "sex": ["female", "male", None],
    "year": [2007, 2008, 2009],
}
RECORDS = [dict(zip(ROWS, cells, strict=True)) for cells in zip(*ROWS.values(), strict=True)]


@pytest.fixture(scope="module")
def expected(client, model):
    answer = client.post("/v1/models/penguins/predict", json={"rows": RECORDS})
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def inputs(module, binary, shape=(3,)):
    found = []
    for name, cells in ROWS.items():
        if isinstance(cells[0], str):
            values, kind = np.array([cell or "" for cell in cells], object), "BYTES"
        else:
            values = np.array([np.nan if cell is None else cell for cell in cells], np.float32)
            kind = "FP32"
        tensor = module.InferInput(name, list(shape), kind)
        tensor.set_data_from_numpy(values.reshape(shape), binary_data=binary)
        found.append(tensor)
    return found


def check(result, expected, rtol=1e-5):
    labels = [text if isinstance(text, str) else text.decode() for text in result.as_numpy("label")]
    assert labels == [row["label"] for row in expected]
    shares = np.array([list(row["probabilities"].values()) for row in expected])
    np.testing.assert_allclose(result.as_numpy("probabilities"), shares, rtol=rtol)


@pytest.fixture(scope="module")
def caller(server):
    with triton.InferenceServerClient(server.removeprefix("http://")) as caller:
        yield caller


@pytest.mark.parametrize("binary_out", [True, False])
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_tritons_client_infers_in_binary(caller, expected, binary_out, shape):
    wanted = [
        triton.InferRequestedOutput(name, binary_data=binary_out)
        for name in ("label", "probabilities")
    ]
    result = caller.infer("penguins", inputs(triton, True, shape), outputs=wanted, request_id="7")
    check(result, expected)
    assert result.get_response()["id"] == "7"


@pytest.mark.parametrize("algorithm", [None, "gzip", "deflate"])
def test_tritons_client_infers_compressed_both_ways(caller, expected, algorithm):
    result = caller.infer(
        "penguins", inputs(triton, True), model_version="1",
        request_compression_algorithm=algorithm, response_compression_algorithm=algorithm,
    )  # fmt: skip
    check(result, expected)


def test_classification_names_the_most_likely_classes(caller, expected):
    wanted = [triton.InferRequestedOutput("probabilities", class_count=2)]
    result = caller.infer("penguins", inputs(triton, True), outputs=wanted)
    for found, row in zip(result.as_numpy("probabilities"), expected, strict=True):
        value, position, label = found[0].decode().split(":")
        assert (label, int(position)) == (row["label"], list(row["probabilities"]).index(label))
        assert float(value) == pytest.approx(row["probabilities"][label], abs=1e-6)
    assert result.as_numpy("probabilities").shape == (3, 2)


def test_tritons_client_finds_its_way_around(caller, model):
    assert caller.is_server_live()
    assert caller.is_server_ready()
    assert caller.is_model_ready("penguins")
    assert not caller.is_model_ready("nobody")
    assert "binary_tensor_data" in caller.get_server_metadata()["extensions"]
    described = caller.get_model_metadata("penguins")
    assert [tensor["name"] for tensor in described["inputs"]] == list(ROWS)
    assert described["outputs"][1] == {
        "name": "probabilities", "datatype": "FP64", "shape": [-1, 3]
    }  # fmt: skip
    assert caller.get_model_config("penguins")["input"][0]["data_type"] == "TYPE_STRING"
    index = caller.get_model_repository_index()
    assert {"name": "penguins", "state": "READY"}.items() <= index[0].items() or len(index) > 1
    caller.unload_model("penguins")
    caller.load_model("penguins")


def test_statistics_count_questions_and_refusals(caller, expected):
    def counts():
        (stats,) = caller.get_inference_statistics("penguins", "1")["model_stats"]
        parts = stats["inference_stats"]
        return stats["inference_count"], parts["success"]["count"], parts["fail"]["count"]

    before = counts()
    caller.infer("penguins", inputs(triton, True), model_version="1")
    with pytest.raises(InferenceServerException):
        caller.infer("penguins", inputs(triton, True)[:2], model_version="1")
    assert counts() == (before[0] + 3, before[1] + 1, before[2] + 1)


def test_tritons_asyncio_client_infers(server, expected):
    async def ask():
        async with triton_aio.InferenceServerClient(server.removeprefix("http://")) as caller:
            assert await caller.is_model_ready("penguins")
            return await caller.infer("penguins", inputs(triton_aio, True))

    check(asyncio.run(ask()), expected)


def test_errors_are_those_the_clients_read(caller, model):
    with pytest.raises(InferenceServerException, match="There is no such model"):
        caller.infer("nobody", inputs(triton, True))
    with pytest.raises(InferenceServerException, match="'sex' is missing"):
        caller.infer("penguins", [one for one in inputs(triton, True) if one.name() != "sex"])
