"""Several targets, labels, counts and quantiles: from the job to every way of asking the model."""

import io
import json
import subprocess
import sys

import httpx2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

ROWS = 400
PARQUET = "application/vnd.apache.parquet"


def submit(client: httpx2.Client, **body: object) -> httpx2.Response:
    return client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})


def trained(client: httpx2.Client, **body: object) -> dict:
    training = {"epochs": 60, "optimizer": {"name": "adam", "learning_rate": 0.02}}
    training |= body.pop("training", {})
    job = submit(client, **body, training=training, seed=3).json()
    assert job.get("state") == "succeeded", job
    return dict(job)


def table() -> dict[str, np.ndarray]:
    random = np.random.default_rng(11)
    x, z = random.normal(size=ROWS), random.normal(size=ROWS)
    noise = random.normal(size=ROWS)
    return {
        "x": x,
        "z": z,
        "kilos": 1000 * (2 * x + 1) + 100 * noise,
        "share": 0.001 * (x - z) + 0.0001 * noise,
        "hot": x + 0.3 * noise > 0,
        "wet": np.where(z - 0.3 * noise > 0, "yes", "no"),
        "visits": random.poisson(np.exp(0.6 * x + 3.0)),
        "below": random.poisson(2.0, ROWS) - 1.0,
    }


@pytest.fixture(scope="module")
def dataset(client: httpx2.Client) -> str:
    file = io.BytesIO()
    pq.write_table(pa.table(table()), file)
    answer = client.post("/v1/datasets", content=file.getvalue(), headers={"Content-Type": PARQUET})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


KINDS = {
    "numbers": {"target": ["kilos", "share"], "features": ["x", "z"]},
    "flags": {"target": ["hot", "wet"], "features": ["x", "z"]},
    "counts": {"target": "visits", "features": ["x", "z"], "training": {"loss": "poisson"}},
    "quantiles": {
        "target": "kilos",
        "features": ["x", "z"],
        "training": {"loss": "quantile", "loss_options": {"quantiles": [0.1, 0.5, 0.9]}},
    },
}


@pytest.fixture(scope="module")
def jobs(client: httpx2.Client, dataset: str) -> dict[str, dict]:
    return {
        name: trained(client, dataset=dataset, model=f"wide-{name}", **body)
        for name, body in KINDS.items()
    }


def predict(client: httpx2.Client, kind: str, **options: object) -> list[dict]:
    columns = table()
    rows = [[float(x), float(z)] for x, z in zip(columns["x"], columns["z"], strict=True)]
    answer = client.post(f"/v1/models/wide-{kind}/predict", json={"rows": rows, **options})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["predictions"])


def test_several_numbers_are_learned_together_in_their_own_units(client, jobs) -> None:
    job, columns = jobs["numbers"], table()
    assert (job["task"], job["target"]) == ("regression", ["kilos", "share"])
    each = job["result"]["per_output"]
    for name in ("kilos", "share"):
        assert each[name]["metrics"]["r2"] > 0.9 > 0.1 > each[name]["baseline"]["r2"]
        assert each[name]["linear"]["r2"] > 0.9
        said = [one["values"][name] for one in predict(client, "numbers")]
        assert np.corrcoef(said, columns[name])[0, 1] ** 2 > 0.9
    mean = np.mean([one["metrics"]["rmse"] for one in each.values()])
    assert job["result"]["metrics"]["rmse"] == pytest.approx(mean)
    held = [
        one["intervals"]["kilos"][0] <= truth <= one["intervals"]["kilos"][1]
        for one, truth in zip(
            predict(client, "numbers", coverage=0.8), columns["kilos"], strict=True
        )
    ]
    assert 0.7 < np.mean(held) < 0.9


def test_several_labels_are_learned_together(client, jobs) -> None:
    job, columns = jobs["flags"], table()
    assert job["task"] == "multilabel"
    assert job["training"]["loss"] == "binary_cross_entropy"
    assert job["result"]["metrics"]["hamming_loss"] < job["result"]["baseline"]["hamming_loss"]
    assert job["result"]["per_output"]["hot"]["metrics"]["roc_auc"] > 0.9
    found = predict(client, "flags", coverage=0.9, calibrated=True)
    assert {type(one["labels"]["hot"]) for one in found} == {bool}
    wet = [one["labels"]["wet"] for one in found]
    assert np.mean(np.array(wet) == columns["wet"]) > 0.85
    for one in found:
        assert (one["probabilities"]["wet"] > 0.5) == (one["labels"]["wet"] == "yes")
    held = [truth in one["sets"]["wet"] for one, truth in zip(found, columns["wet"], strict=True)]
    assert np.mean(held) > 0.85
    strict = predict(client, "flags", threshold=0.99)
    assert np.mean([one["labels"]["hot"] for one in strict]) < columns["hot"].mean()


def test_counts_have_a_log_link(client, jobs) -> None:
    job, columns = jobs["counts"], table()
    result = job["result"]
    assert job["task"] == "regression"
    assert result["metrics"]["d2"] > 0.5 > 0.1 > result["baseline"]["d2"]
    assert result["metrics"]["poisson_deviance"] < 1.5 < result["baseline"]["poisson_deviance"]
    said = np.array([one["value"] for one in predict(client, "counts")])
    assert said.min() > 0
    assert said.mean() == pytest.approx(columns["visits"].mean(), rel=0.05)


def test_quantiles_are_predicted_by_level_and_in_order(client, jobs) -> None:
    job, columns = jobs["quantiles"], table()
    assert job["result"]["metrics"]["quantile_loss"] < job["result"]["baseline"]["quantile_loss"]
    assert job["result"]["per_output"].keys() == {"0.1", "0.5", "0.9"}
    found = predict(client, "quantiles", coverage=0.9)
    levels = np.array([list(one["quantiles"].values()) for one in found])
    assert (np.diff(levels, axis=1) >= 0).all()
    below = (columns["kilos"][:, None] <= levels).mean(axis=0)
    assert below == pytest.approx([0.1, 0.5, 0.9], abs=0.12)
    held = [
        one["interval"][0] <= truth <= one["interval"][1]
        for one, truth in zip(found, columns["kilos"], strict=True)
    ]
    assert np.mean(held) > 0.8


COLUMNS = {
    "numbers": ["kilos", "share"],
    "flags": ["hot", "wet", "probability_hot", "probability_wet"],
    "counts": ["value"],
    "quantiles": ["quantile_0.1", "quantile_0.5", "quantile_0.9"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_tables_and_tensors_say_what_rows_say(client, jobs, kind) -> None:
    columns = table()
    file = io.BytesIO()
    pq.write_table(pa.table({name: columns[name] for name in ("x", "z")}), file)
    address = f"/v1/models/wide-{kind}/predict"
    answer = client.post(address, content=file.getvalue(), headers={"Content-Type": PARQUET})
    found = pq.read_table(io.BytesIO(answer.content)).to_pydict()
    assert list(found) == COLUMNS[kind]
    inputs = [
        {"name": name, "datatype": "FP64", "shape": [ROWS], "data": columns[name].tolist()}
        for name in ("x", "z")
    ]
    tensors = client.post(f"/v2/models/wide-{kind}/infer", json={"inputs": inputs}).json()
    assert [one["name"] for one in tensors["outputs"]] == COLUMNS[kind]
    shown = client.get(f"/v2/models/wide-{kind}").json()["outputs"]
    for one, known in zip(tensors["outputs"], shown, strict=True):
        assert (one["name"], one["datatype"]) == (known["name"], known["datatype"])
    flat = [_flat(one) for one in predict(client, kind)]
    for at, name in enumerate(COLUMNS[kind]):
        expected = [row[at] for row in flat]
        for said in (found[name], tensors["outputs"][at]["data"]):
            if isinstance(expected[0], float):
                np.testing.assert_allclose(said, expected, rtol=1e-5)
            else:
                assert said == expected


def _flat(one: dict) -> list:
    parts = [one[key] for key in ("labels", "probabilities", "values", "quantiles") if key in one]
    return [cell for part in parts for cell in part.values()] or [one["value"]]


@pytest.mark.parametrize("kind", KINDS)
def test_exports_say_what_the_model_says(client, jobs, kind) -> None:
    for name in ("onnx", "python", "c", "json"):
        address = f"/v1/models/wide-{kind}/versions/1/export/certificate"
        certificate = client.get(address, params={"format": name}).json()
        assert certificate["executed"], certificate
        assert certificate["largest_relative_difference"] < 1e-3
        assert certificate["other_labels"] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_documents_fit_the_answers(client, jobs, kind) -> None:
    base = f"/v1/models/wide-{kind}/versions/1"
    document = client.get(f"{base}/openapi.json").json()
    operation = next(iter(document["paths"].values()))["post"]
    example = operation["responses"]["200"]["content"]["application/json"]["example"]
    answered = example["predictions"][0]
    assert set(document["components"]["schemas"]["Prediction"]["required"]) == set(answered)
    for address in (f"{base}/report", f"{base}/card", f"{base}/snippets", base):
        assert client.get(address).status_code == 200, address
    code = next(
        one["code"]
        for one in client.get(f"{base}/snippets").json()["data"]
        if one["language"] == "python"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_compatible_routes_answer_them(client, jobs, kind) -> None:
    rows = {"instances": [[0.5, -0.5], [1.0, 0.0]]}
    listed = client.post(f"/tensorflow/v1/models/wide-{kind}:predict", json=rows)
    assert listed.status_code == 200, listed.text
    assert len(listed.json()["predictions"]) == 2
    assert client.get(f"/tensorflow/v1/models/wide-{kind}/metadata").status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_training_again_gives_the_same_weights(client, jobs, kind) -> None:
    headers = {"Prefer": "wait=60"}
    answer = client.post(f"/v1/models/wide-{kind}/versions/1/verify", headers=headers)
    assert answer.json()["result"]["verified"]["same_file"], answer.text


def test_folds_and_weights_go_with_several_targets(client, dataset) -> None:
    for body in (KINDS["numbers"], KINDS["flags"], KINDS["quantiles"]):
        training = {**body.get("training", {}), "epochs": 5, "validation": {"folds": 3}}
        job = trained(
            client,
            dataset=dataset,
            model="folded-wide",
            **{**body, "training": training},
            weights_column="visits",
        )
        assert job["result"]["folds"]["count"] == 3


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        ({"target": ["kilos", "hot"]}, "/target/1", "task_mismatch"),
        ({"target": ["kilos", "wet"], "task": "multilabel"}, "/target/0", "task_mismatch"),
        ({"target": ["kilos", "nope"]}, "/target/1", "unknown_column"),
        ({"target": ["kilos", "kilos"]}, "/target", "duplicate"),
        ({"target": "hot", "task": "multilabel"}, "/task", "task_mismatch"),
        ({"target": ["hot", "wet"], "task": "binary"}, "/task", "task_mismatch"),
        ({"target": ["hot", "wet"], "class_weight": "balanced"}, "/class_weight", "task_mismatch"),
        ({"target": ["hot", "wet"], "features": ["hot"]}, "/features/0", "target_as_feature"),
        ({"target": "below", "training": {"loss": "poisson"}}, "/target", "negative_counts"),
        (
            {"target": ["kilos", "share"], "training": KINDS["quantiles"]["training"]},
            "/training/loss_options/quantiles",
            "option_mismatch",
        ),
        (
            {"target": "kilos", "training": {"loss": "mse", "loss_options": {"quantiles": [0.5]}}},
            "/training/loss_options",
            "option_mismatch",
        ),
    ],
)
def test_what_does_not_fit_is_refused(client, dataset, body, pointer, code) -> None:
    answer = submit(client, dataset=dataset, **body)
    assert answer.status_code == 422, answer.text
    assert [(one["pointer"], one["code"]) for one in answer.json()["errors"]] == [(pointer, code)]


@pytest.mark.parametrize("quantiles", [[0.5, 0.5], [0.9, 0.1], [0.0, 0.5], [], [True]])
def test_quantiles_increase_between_0_and_1(client, dataset, quantiles) -> None:
    training = {"loss": "quantile", "loss_options": {"quantiles": quantiles}}
    answer = submit(client, dataset=dataset, target="kilos", training=training)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/training/loss_options")


def test_options_that_do_not_fit_are_refused(client, jobs) -> None:
    for kind, options in (
        ("numbers", {"top_k": 1}), ("numbers", {"threshold": 0.5}), ("flags", {"top_k": 1}),
        ("quantiles", {"calibrated": True}),
    ):  # fmt: skip
        body = json.dumps({"rows": [[0.1, 0.2]], **options})
        answer = client.post(
            f"/v1/models/wide-{kind}/predict",
            content=body,
            headers={"Content-Type": "application/json"},
        )
        assert answer.status_code == 422, (kind, options, answer.text)
