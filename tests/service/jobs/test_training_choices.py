"""Every choice of network and training, as a caller makes it."""

from typing import Any

import httpx2
import pytest

from tests.conftest import wait_until
from tests.service.jobs.test_jobs_over_http import submit

EVERYTHING = {
    "network": {
        "layers": [
            {"units": 8, "activation": "elu", "alpha": 0.5, "batch_norm": True, "dropout": 0.1},
            {"units": 6, "activation": "gelu", "bias": False},
        ],
        "init": "he_normal",
        "input_dropout": 0.05,
    },
    "training": {
        "loss": "categorical_cross_entropy",
        "loss_options": {"label_smoothing": 0.05},
        "optimizer": {"name": "nadam", "learning_rate": 0.01},
        "schedule": {"name": "one_cycle", "warmup": 0.5},
        "epochs": 30,
        "l1": 1e-5,
        "weight_decay": 0.01,
        "max_norm": 5.0,
        "clip_value": 1.0,
        "clip_layer": 1.0,
        "average": 0.9,
        "early_stopping": {"monitor": "validation_score", "patience": 30, "start_epoch": 2},
        "histograms": 10,
    },
}


def finished(client: httpx2.Client, job: dict[str, Any]) -> dict[str, Any]:
    """The job when it is over: what no job chose before on this machine is compiled first."""

    def now() -> dict[str, Any]:
        return dict(client.get(f"/v1/jobs/{job['id']}").json())

    wait_until(lambda: now()["finished_at"] is not None, 100.0)
    return now()


def test_a_job_with_everything_learns_and_its_model_predicts(
    client: httpx2.Client, penguins: str
) -> None:
    body = {"dataset": penguins, "target": "species", "model": "all", "seed": 1, **EVERYTHING}
    job = finished(client, submit(client, wait=0, **body).json())
    assert job["state"] == "succeeded", job
    assert job["result"]["metrics"]["accuracy"] > 0.9
    assert job["network"]["layers"][1]["alpha"] is None
    points = client.get(f"/v1/jobs/{job['id']}/metrics").json()["data"]
    assert [point["epoch"] for point in points if point["histograms"]] == [10, 20, 30]
    assert len(points[0]["dead_units"]) == 2
    assert points[0]["learning_rate"] < max(point["learning_rate"] for point in points)
    row = client.get(f"/v1/datasets/{penguins}/rows?limit=1").json()["data"][0]
    row.pop("species")
    answer = client.post("/v1/models/all/predict", json={"rows": [row]})
    assert answer.status_code == 200, answer.text


def test_float64_is_trained_on_request(client: httpx2.Client, penguins: str) -> None:
    training = {"precision": "float64", "epochs": 2}
    body = {"dataset": penguins, "target": "sex", "model": "wide", "training": training}
    job = finished(client, submit(client, wait=0, **body).json())
    assert job["state"] == "succeeded", job
    assert job["training"]["precision"] == "float64"


@pytest.mark.parametrize(
    ("training", "stop_reason"),
    [
        ({"loss": "huber", "loss_options": {"delta": 0.5}}, "epochs"),
        ({"loss": "quantile", "loss_options": {"quantile": 0.9}}, "epochs"),
        ({"optimizer": {"name": "lbfgs"}}, "epochs"),
        ({"early_stopping": {"monitor": "train_score", "target": 0.5}}, "target"),
        ({"validation": None, "early_stopping": {"monitor": "train_loss"}}, "epochs"),
    ],
)
def test_a_choice_for_numbers_is_carried_out(
    client: httpx2.Client, penguins: str, training: dict[str, object], stop_reason: str
) -> None:
    training = {"epochs": 15, "optimizer": {"name": "adam", "learning_rate": 0.02}, **training}
    body = {"dataset": penguins, "target": "body_mass_g", "seed": 1, "training": training}
    job = finished(client, submit(client, wait=0, **body).json())
    assert job["state"] == "succeeded", job
    assert job["result"]["stop_reason"] == stop_reason


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"training": {"loss": "mse"}}, "/training/loss"),
        ({"training": {"loss_options": {"delta": 1.0}}}, "/training/loss_options"),
        ({"training": {"optimizer": {"name": "adamax"}}}, "/training/optimizer"),
        (
            {"training": {"optimizer": {"name": "sgd", "beta1": 0.5}}},
            "/training/optimizer/sgd/beta1",
        ),
        (
            {"training": {"schedule": {"name": "step", "gamma": 2.0}}},
            "/training/schedule/step/gamma",
        ),
        (
            {"training": {"optimizer": {"name": "lbfgs"}, "batch_size": 8}},
            "/training/batch_size",
        ),
        (
            {"training": {"optimizer": {"name": "lbfgs"}}, "network": {"input_dropout": 0.1}},
            "/training/optimizer/name",
        ),
        ({"network": {"layers": [{"units": 4, "alpha": 0.1}]}}, "/network/layers/0/alpha"),
        ({"network": {"layers": [{"units": 4, "dropout": 1.0}]}}, "/network/layers/0/dropout"),
        (
            {"training": {"validation": None, "early_stopping": {"monitor": "validation_score"}}},
            "/training",
        ),
    ],
)  # fmt: skip
def test_choices_that_do_not_fit_are_refused_by_name(
    client: httpx2.Client, penguins: str, body: dict[str, object], pointer: str
) -> None:
    answer = client.post("/v1/jobs", json={"dataset": penguins, "target": "species", **body})
    assert answer.status_code == 422, answer.text
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == [pointer]


def test_a_diverged_job_names_epoch_and_layer(client: httpx2.Client, penguins: str) -> None:
    job = submit(
        client,
        dataset=penguins,
        target="body_mass_g",
        network={"layers": [{"units": 4, "activation": "relu"}]},
        training={"optimizer": {"name": "sgd", "learning_rate": 100.0}},
    ).json()
    assert job["error"]["code"] == "diverged"
    assert "in epoch 1, first in" in job["error"]["message"]
    assert "layer" in job["error"]["message"]
