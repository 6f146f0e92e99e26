"""Sets, intervals and calibrated probabilities on demand, the same by every way."""

import numpy as np
import pytest

from tests.service.predictions.test_predictions_over_http import ROW


def test_a_set_holds_the_label_and_grows_with_the_coverage(client, model):
    sizes = []
    for coverage in (0.5, 0.9, 0.999):
        body = {"rows": [ROW], "coverage": coverage}
        (found,) = client.post("/v1/models/penguins/predict", json=body).json()["predictions"]
        assert found["label"] in found["set"]
        sizes.append(len(found["set"]))
    assert sizes == sorted(sizes)
    assert sizes[-1] == 3  # too few validation rows for so much


def test_calibrated_probabilities_keep_the_label_and_sum_to_one(client, model):
    def ask(**options):
        body = {"rows": [ROW, ROW], **options}
        return client.post("/v1/models/penguins/predict", json=body).json()["predictions"][0]

    plain, calibrated = ask(), ask(calibrated=True)
    assert calibrated["label"] == plain["label"]
    assert calibrated["probabilities"] != plain["probabilities"]
    assert sum(calibrated["probabilities"].values()) == pytest.approx(1.0)
    both = ask(calibrated=True, top_k=1)
    assert list(both["probabilities"]) == [plain["label"]]


def train(client, name, **training):
    random = np.random.default_rng(0)
    x = random.uniform(-3, 3, 400)
    lines = [
        "x,y",
        *(f"{a:.4f},{2 * a + b:.4f}" for a, b in zip(x, random.normal(size=400), strict=True)),
    ]
    headers = {"Content-Type": "text/csv"}
    dataset = client.post("/v1/datasets", content="\n".join(lines), headers=headers).json()["id"]
    body = {"dataset": dataset, "target": "y", "model": name, "seed": 3, "training": training}
    job = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"}).json()
    assert job["state"] == "succeeded", job


def test_intervals_hold_new_truths_as_often_as_asked(client):
    train(client, "noisy-line")
    random = np.random.default_rng(1)
    x = random.uniform(-3, 3, 1000)
    truth = 2 * x + random.normal(size=1000)
    body = {"rows": [[float(a)] for a in x], "coverage": 0.9}
    found = client.post("/v1/models/noisy-line/predict", json=body).json()["predictions"]
    held = [
        low <= y <= high
        for y, (low, high) in zip(truth, (one["interval"] for one in found), strict=True)
    ]
    assert 0.82 <= np.mean(held) <= 0.97


def test_a_model_without_validation_rows_says_so(client):
    train(client, "unjudged", validation=None, epochs=2)
    body = {"rows": [[1.0]], "coverage": 0.9}
    answer = client.post("/v1/models/unjudged/predict", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "not_calibrated"


@pytest.mark.parametrize("coverage", [0, 1, -0.1, 1.5, "0.9", True])
def test_a_coverage_out_of_its_range_is_refused(client, model, coverage):
    body = {"rows": [ROW], "coverage": coverage}
    assert client.post("/v1/models/penguins/predict", json=body).status_code == 422
