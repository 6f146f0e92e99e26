"""Evaluations over HTTP against scikit-learn, on the answers that prediction gives."""

import io

import httpx2
import numpy as np
import pytest
from sklearn import metrics as oracle

WAIT = {"Prefer": "wait=60"}


def rows_of(client: httpx2.Client, dataset: str) -> list[dict]:
    found: list[dict] = []
    has_more = True
    while has_more:
        where = {"limit": 100, "after": len(found)}
        page = client.get(f"/v1/datasets/{dataset}/rows", params=where).json()
        found, has_more = found + page["data"], page["has_more"]
    return found


def evaluated(client: httpx2.Client, model: str, dataset: str, **body: object) -> dict:
    answer = client.post(f"/v1/models/{model}/evaluate", json={"dataset": dataset, **body})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def predicted(client: httpx2.Client, model: str, rows: list[dict], target: str) -> list[dict]:
    features = [{name: value for name, value in row.items() if name != target} for row in rows]
    answer = client.post(f"/v1/models/{model}/predict", json={"rows": features})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["predictions"])


def test_classes_are_judged_as_scikit_learn_does(client, penguins, model) -> None:
    rows = rows_of(client, penguins)
    truth = [row["species"] for row in rows]
    said = predicted(client, "penguins", rows, "species")
    shares = np.array([list(one["probabilities"].values()) for one in said])
    shares /= shares.sum(axis=1, keepdims=True)
    labels = list(said[0]["probabilities"])

    found = evaluated(client, "penguins", penguins, group_by="island")

    assert (found["rows"], found["skipped"], found["every"]) == (len(rows), 0, 1)
    accuracy = oracle.accuracy_score(truth, [one["label"] for one in said])
    assert found["metrics"]["accuracy"] == pytest.approx(accuracy)
    assert found["metrics"]["log_loss"] == pytest.approx(oracle.log_loss(truth, shares), rel=1e-4)
    counts = oracle.confusion_matrix(truth, [one["label"] for one in said], labels=labels)
    assert found["evidence"]["counts"] == counts.tolist()
    for at, label in enumerate(labels):
        curve = found["curves"][label]
        is_it = np.array(truth) == label
        area = oracle.auc([0, *curve["false_positive_rate"]], [0, *curve["recall"]])
        assert area == pytest.approx(oracle.roc_auc_score(is_it, shares[:, at]), abs=2e-3)
        for threshold, recall in zip(curve["threshold"], curve["recall"], strict=True):
            taken = shares[:, at] >= threshold - 1e-9
            assert recall == pytest.approx((taken & is_it).sum() / is_it.sum(), abs=0.02)
    assert sum(one["rows"] for one in found["calibration"]) == len(rows)
    groups = {one["group"]: one for one in found["groups"]}
    assert set(groups) == {"Biscoe", "Dream", "Torgersen"}
    for island, group in groups.items():
        mine = [at for at, row in enumerate(rows) if row["island"] == island]
        right = np.mean([said[at]["label"] == truth[at] for at in mine])
        assert group["rows"] == len(mine)
        assert group["metrics"]["accuracy"] == pytest.approx(right)


def test_numbers_are_judged_as_scikit_learn_does_without_rows_that_lack_the_target(
    client, penguins
) -> None:
    body = {"dataset": penguins, "target": "body_mass_g", "model": "weights", "seed": 3,
            "training": {"epochs": 20}}  # fmt: skip
    assert client.post("/v1/jobs", json=body, headers=WAIT).json()["state"] == "succeeded"
    rows = [row for row in rows_of(client, penguins) if row["body_mass_g"] is not None]
    said = [one["value"] for one in predicted(client, "weights", rows, "body_mass_g")]
    truth = [row["body_mass_g"] for row in rows]

    found = evaluated(client, "weights", penguins, group_by="flipper_length_mm")

    assert (found["rows"], found["skipped"]) == (342, 2)
    rmse = oracle.root_mean_squared_error(truth, said)
    assert found["metrics"]["rmse"] == pytest.approx(rmse, rel=1e-5)
    assert found["metrics"]["r2"] == pytest.approx(oracle.r2_score(truth, said), rel=1e-4)
    assert found["intervals"]["rmse"]["low"] < rmse < found["intervals"]["rmse"]["high"]
    assert found["curves"] is found["calibration"] is None
    assert sum(one["rows"] for one in found["groups"]) == 342
    assert len(found["groups"]) == 4


def test_two_classes_have_one_curve_and_blocks_of_text_are_joined(client) -> None:
    random = np.random.default_rng(5)
    x = random.normal(size=40_000)
    word = random.choice(["left", "right", "up"], 40_000)
    label = np.where(x + random.normal(size=40_000) > 0, "yes", "no")
    text = io.StringIO("x,word,label\n")
    text.seek(0, io.SEEK_END)
    for row in zip(x, word, label, strict=True):
        text.write("{:.5f},{},{}\n".format(*row))
    uploaded = client.post(
        "/v1/datasets", params={"name": "long"}, content=text.getvalue().encode(),
        headers={"Content-Type": "text/csv"},
    )  # fmt: skip
    dataset = uploaded.json()["id"]
    body = {"dataset": dataset, "target": "label", "model": "yes", "training": {"epochs": 2}}
    assert client.post("/v1/jobs", json=body, headers=WAIT).json()["state"] == "succeeded"

    found = evaluated(client, "yes", dataset, group_by="word")

    assert list(found["curves"]) in (["yes"], ["true"])
    (curve,) = found["curves"].values()
    assert curve["recall"][-1] == curve["false_positive_rate"][-1] == 1.0
    assert len(curve["recall"]) == 200
    assert sorted(one["group"] for one in found["groups"]) == ["left", "right", "up"]
    assert sum(one["rows"] for one in found["groups"]) == 40_000
    for one in found["calibration"]:
        assert one["low"] <= one["predicted"] <= one["high"]


def test_what_cannot_judge_is_refused_by_its_place(client, penguins, model) -> None:
    def refused(**body: object) -> dict:
        answer = client.post("/v1/models/penguins/evaluate", json=body)
        assert answer.status_code == 422, answer.text
        return dict(answer.json()["errors"][0])

    assert refused(dataset=penguins, group_by="nothing")["pointer"] == "/group_by"
    text = "bill_length_mm,species\n39.1,Adelie\n"
    other = client.post(
        "/v1/datasets", params={"name": "other"}, content=text.encode(),
        headers={"Content-Type": "text/csv"},
    ).json()["id"]  # fmt: skip
    assert refused(dataset=other)["code"] == "missing_column"
    missing = client.post("/v1/models/penguins/evaluate", json={"dataset": "ds_nobody"})
    assert missing.status_code == 404
    nobody = client.post("/v1/models/nobody/evaluate", json={"dataset": penguins})
    assert nobody.status_code == 404


def test_an_older_version_can_be_evaluated(client, penguins, model) -> None:
    answer = client.post("/v1/models/penguins/versions/1/evaluate", json={"dataset": penguins})
    assert answer.status_code == 200
    assert answer.json()["version"] == 1
