"""Every datatype, shape and mistake, over HTTP."""

import json

import numpy as np
import pytest

FLOATS = ("FP16", "FP32", "FP64")
WHOLE = ("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64")
DTYPES = {
    **{name: f"<f{int(name[2:]) // 8}" for name in FLOATS},
    **{name: f"<{name[0].lower()}{int(name.strip('UINT')) // 8}" for name in WHOLE},
}


@pytest.fixture(scope="module")
def plane(client):
    """A regression on two numbers and a boolean."""
    random = np.random.default_rng(0)
    lines = ["a,b,flag,y"]
    for a, b, flag in zip(random.normal(size=80), random.normal(size=80), range(80), strict=True):
        lines.append(
            f"{a:.3f},{b:.3f},{'true' if flag % 2 else 'false'},{2 * a - b + flag % 2:.3f}"
        )
    return train(client, "plane", "\n".join(lines), "y")


@pytest.fixture(scope="module")
def matrix(client):
    """A classification of whole numbers by numbers alone."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(90, 3)).round(3)
    lines = ["a,b,c,digit", *(f"{a},{b},{c},{int(a > b) + int(a > c)}" for a, b, c in rows)]
    return train(client, "matrix", "\n".join(lines), "digit")


def train(client, name, table, target):
    headers = {"Content-Type": "text/csv"}
    dataset = client.post("/v1/datasets", content=table, headers=headers).json()["id"]
    body = {"dataset": dataset, "target": target, "model": name, "seed": 1}
    answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
    assert answer.json()["state"] == "succeeded", answer.text
    return name


def tensor(name, cells, datatype="FP64", shape=None):
    return {"name": name, "datatype": datatype, "shape": shape or [len(cells)], "data": cells}


def infer(client, name, inputs, **more):
    return client.post(f"/v2/models/{name}/infer", content=json.dumps({"inputs": inputs, **more}))


@pytest.mark.parametrize("datatype", [*FLOATS, *WHOLE])
@pytest.mark.parametrize("binary", [False, True])
def test_every_numeric_datatype_says_the_same(client, matrix, datatype, binary):
    cells = np.array([[1, 2, 3], [4, 0, 2]])
    rows = {"rows": cells.tolist()}
    expected = client.post(f"/v1/models/{matrix}/predict", json=rows).json()["predictions"]
    if binary:
        raw = cells.astype(DTYPES[datatype]).tobytes()
        given = {"name": "x", "datatype": datatype, "shape": [2, 3]}
        given["parameters"] = {"binary_data_size": len(raw)}
        head = json.dumps({"inputs": [given]}).encode()
        answer = client.post(
            f"/v2/models/{matrix}/infer",
            content=head + raw,
            headers={"Inference-Header-Content-Length": str(len(head))},
        )
    else:
        answer = infer(client, matrix, [tensor("x", cells.tolist(), datatype, [2, 3])])
    assert answer.status_code == 200, answer.text
    label, shares = answer.json()["outputs"]
    assert (label["datatype"], label["data"]) == ("INT64", [row["label"] for row in expected])
    flat = [share for row in expected for share in row["probabilities"].values()]
    assert shares["data"] == pytest.approx(flat, rel=1e-5)


def test_flat_and_nested_data_are_alike_and_null_is_missing(client, plane):
    def values(*, nested):
        wrap = (lambda cells: [[cell] for cell in cells]) if nested else list
        shape = [2, 1] if nested else [2]
        return infer(client, plane, [
            tensor("a", wrap([0.5, None]), shape=shape), tensor("b", wrap([1, 2]), "INT32", shape),
            tensor("flag", wrap([True, False]), "BOOL", shape),
        ]).json()["outputs"][0]["data"]  # fmt: skip

    rows = [{"a": 0.5, "b": 1, "flag": True}, {"a": None, "b": 2, "flag": False}]
    expected = client.post(f"/v1/models/{plane}/predict", json={"rows": rows}).json()
    told = [row["value"] for row in expected["predictions"]]
    assert values(nested=False) == values(nested=True) == pytest.approx(told, rel=1e-5)


FINE = [tensor("a", [1.0]), tensor("b", [1.0]), tensor("flag", [True], "BOOL")]
MISTAKES = {
    "no inputs": ({"inputs": []}, "at least one"),
    "not an object": ([], "Expected `object`"),
    "a missing column": ({"inputs": FINE[:2]}, "'flag' is missing"),
    "an unknown column": ({"inputs": [*FINE, tensor("c", [1.0])]}, "no such tensor"),
    "a column twice": ({"inputs": [*FINE, FINE[0]]}, "twice"),
    "text for a number": ({"inputs": [tensor("a", ["1"], "BYTES"), *FINE[1:]]}, "expected FP64"),
    "a text in numbers": ({"inputs": [tensor("a", ["1"]), *FINE[1:]]}, "expected numbers"),
    "a boolean in numbers": ({"inputs": [tensor("a", [True]), *FINE[1:]]}, "expected numbers"),
    "a fraction in INT8": ({"inputs": [tensor("a", [1.5], "INT8"), *FINE[1:]]}, "whole numbers"),
    "300 in UINT8": ({"inputs": [tensor("a", [300], "UINT8"), *FINE[1:]]}, "range of UINT8"),
    "a flag of 2": ({"inputs": [*FINE[:2], tensor("flag", [2], "INT8")]}, "0 and 1"),
    "another length": ({"inputs": [tensor("a", [1.0, 2.0]), *FINE[1:]]}, "shape"),
    "data of another length": ({"inputs": [tensor("a", [1.0], shape=[2]), *FINE[1:]]}, "needs 2"),
    "a negative shape": ({"inputs": [tensor("a", [1.0], shape=[-1]), *FINE[1:]]}, "shape"),
    "a datatype of no kind": ({"inputs": [tensor("a", [1.0], "FP8"), *FINE[1:]]}, "datatypes"),
    "an unknown output": ({"inputs": FINE, "outputs": [{"name": "label"}]}, "one of value"),
    "a matrix of mixed columns": ({"inputs": [tensor("x", [1, 1], shape=[1, 2])]}, "matrix has 2"),
    "classes of a value": (
        {"inputs": FINE, "outputs": [{"name": "value", "parameters": {"classification": 1}}]},
        "for probabilities",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_named_and_values_are_not_repeated(client, plane, mistake):
    body, hint = MISTAKES[mistake]
    answer = client.post(f"/v2/models/{plane}/infer", content=json.dumps(body))
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert hint in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"", {}, 400), (b"{", {}, 400), (b"\xff\xfe", {}, 400), (b"[" * 100_000, {}, 400),
        (b'{"inputs":[{"name":"a","datatype":"FP64","shape":[1],"data":[NaN]}]}', {}, 400),
        (b'{"inputs":[{"name":"a","datatype":"FP64","shape":[1e999],"data":[1]}]}', {}, 400),
        (b"{}", {"Inference-Header-Content-Length": "9"}, 400),
        (b"{}", {"Inference-Header-Content-Length": "-1"}, 400),
        (b"{}", {"Content-Encoding": "gzip"}, 400), (b"{}", {"Content-Encoding": "br"}, 415),
    ],
)  # fmt: skip
def test_bodies_that_are_no_requests_are_refused(client, plane, content, headers, status):
    answer = client.post(f"/v2/models/{plane}/infer", content=content, headers=headers)
    assert (answer.status_code, list(answer.json())) == (status, ["error"])


@pytest.mark.parametrize("size", [0, 7, 9, 10**9, -1, True, "8"])
def test_binary_sizes_that_do_not_fit_are_refused(client, matrix, size):
    given = {"name": "x", "datatype": "FP64", "shape": [1, 3]}
    head = json.dumps({"inputs": [{**given, "parameters": {"binary_data_size": size}}]}).encode()
    answer = client.post(
        f"/v2/models/{matrix}/infer",
        content=head + bytes(8),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status_code == 400


def test_addresses_that_are_not_there_answer_in_the_protocols_words(client, model):
    for path in ("/v2/nowhere", "/v2/models/nobody", "/v2/models/penguins/versions/99/ready"):
        answer = client.get(path)
        assert (answer.status_code, list(answer.json())) == (404, ["error"])
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json()["ready"] is True
