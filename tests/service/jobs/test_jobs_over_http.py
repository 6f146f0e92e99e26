"""A job's life as its owner sees it."""

import csv
import io
import json

import httpx2
import pytest


def submit(client: httpx2.Client, wait: int = 60, **body: object) -> httpx2.Response:
    return client.post("/v1/jobs", json=body, headers={"Prefer": f"wait={wait}"})


@pytest.fixture(scope="module")
def linear(client: httpx2.Client) -> str:
    body = {"kind": "linear", "rows": 200, "noise": 0.05, "seed": 3}
    return str(client.post("/v1/datasets/generate", json=body).json()["id"])


def test_the_shortest_request_trains_a_network_that_beats_the_baseline(
    client: httpx2.Client, model: dict[str, object]
) -> None:
    result = model["result"]
    assert isinstance(result, dict)
    assert result["metrics"]["accuracy"] > 0.9 > result["baseline"]["accuracy"]


def test_every_value_comes_back_resolved(model: dict[str, object]) -> None:
    assert model["task"] == "multiclass"
    assert model["training"]["loss"] == "categorical_cross_entropy"  # type: ignore[index]
    assert isinstance(model["training"]["batch_size"], int)  # type: ignore[index]
    assert model["seed"] == 7


def test_a_line_is_learned_by_a_linear_output(client: httpx2.Client, linear: str) -> None:
    columns = client.get(f"/v1/datasets/{linear}").json()["columns"]
    body = {
        "dataset": linear,
        "target": columns[-1]["name"],
        "network": {"layers": []},
        "model": "line",
    }

    job = submit(client, **body).json()

    assert job["state"] == "succeeded"
    assert job["task"] == "regression"
    assert job["result"]["metrics"]["r2"] > 0.98


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "leaky_relu", "identity"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_every_activation_and_optimizer_trains(
    client: httpx2.Client, penguins: str, activation: str, optimizer: str
) -> None:
    job = submit(
        client,
        dataset=penguins,
        target="sex",
        model="each",
        network={"layers": [{"units": 8, "activation": activation}, {"units": 4}]},
        training={"epochs": 20, "optimizer": {"name": optimizer}},
    ).json()

    assert job["state"] == "succeeded"
    assert job["task"] == "binary"
    assert job["warnings"][0]["code"] == "target_missing"


def test_equal_requests_give_equal_bytes(client: httpx2.Client, penguins: str) -> None:
    body = {"dataset": penguins, "target": "species", "model": "twins", "seed": 11}

    submit(client, **body)
    submit(client, **body)

    versions = client.get("/v1/models/twins").json()["versions"]
    assert versions[0]["sha256"] == versions[1]["sha256"]


def test_a_seed_is_chosen_and_echoed(client: httpx2.Client, penguins: str) -> None:
    job = submit(client, dataset=penguins, target="species", training={"epochs": 1}).json()

    assert isinstance(job["seed"], int)


def test_early_stopping_keeps_the_best_epoch(client: httpx2.Client, penguins: str) -> None:
    training = {
        "epochs": 2000,
        "optimizer": {"name": "adam", "learning_rate": 0.1},
        "early_stopping": {"patience": 5},
    }

    job = submit(
        client, dataset=penguins, target="species", model="early", training=training
    ).json()

    curve = client.get(f"/v1/jobs/{job['id']}/metrics?max_points=10000").json()["data"]
    best = min(curve, key=lambda point: point["validation_loss"])
    assert job["result"]["stop_reason"] == "early_stopping"
    assert job["result"]["best_epoch"] == best["epoch"]
    assert job["result"]["metrics"]["log_loss"] == pytest.approx(
        best["validation_loss"], rel=1e-3, abs=1e-6
    )


def test_a_diverging_job_fails_and_says_what_to_change(client: httpx2.Client, linear: str) -> None:
    columns = client.get(f"/v1/datasets/{linear}").json()["columns"]
    training = {
        "optimizer": {"name": "sgd", "learning_rate": 100},
        "epochs": 50,
        "early_stopping": None,
    }

    job = submit(
        client,
        dataset=linear,
        target=columns[-1]["name"],
        training=training,
        network={"layers": [{"units": 8, "activation": "relu"}]},
    ).json()

    assert job["state"] == "failed"
    assert job["error"]["code"] == "diverged"
    assert job["error"]["pointer"] == "/training/optimizer/learning_rate"


def test_the_learning_curve_comes_as_json_and_csv(
    client: httpx2.Client, model: dict[str, object]
) -> None:
    path = f"/v1/jobs/{model['id']}/metrics"

    points = client.get(path).json()["data"]
    table = list(csv.DictReader(io.StringIO(client.get(path, headers={"Accept": "text/csv"}).text)))

    assert points[-1]["train_loss"] < points[0]["train_loss"]
    assert len(points[0]["gradient_norms"]) == 2
    assert len(points[0]["saturation"]) == 1
    assert [float(row["train_loss"]) for row in table] == [point["train_loss"] for point in points]


def test_a_thinned_curve_keeps_first_last_and_extremes(
    client: httpx2.Client, model: dict[str, object]
) -> None:
    whole = client.get(f"/v1/jobs/{model['id']}/metrics").json()["data"]
    thin = client.get(f"/v1/jobs/{model['id']}/metrics?max_points=10").json()["data"]

    assert len(thin) <= 10
    assert (thin[0], thin[-1]) == (whole[0], whole[-1])
    lowest = min(whole[1:-1], key=lambda point: point["validation_loss"])
    assert lowest["epoch"] in {point["epoch"] for point in thin}


def frames(client: httpx2.Client, path: str, **headers: str) -> list[dict[str, str]]:
    text = client.get(path, headers=headers).text
    return [
        dict(line.split(": ", 1) for line in frame.splitlines())
        for frame in text.strip().split("\n\n")
        if not frame.startswith(":")
    ]


def test_the_stream_tells_the_whole_life_and_resumes(client: httpx2.Client, penguins: str) -> None:
    job = submit(
        client, wait=0, dataset=penguins, target="species", model="streamed", seed=2
    ).json()
    path = f"/v1/jobs/{job['id']}/stream"

    live = frames(client, path)
    ids = [int(frame["id"]) for frame in live if "id" in frame]
    resumed = frames(client, path, **{"Last-Event-ID": str(ids[0])})

    kinds = [frame["event"] for frame in live]
    assert kinds[0] == "snapshot"
    assert kinds[-1] == "done"
    assert ids == sorted(set(ids))
    assert json.loads(live[-1]["data"])["state"] == "succeeded"
    epochs = [
        p["epoch"] for f in live if f["event"] == "epoch" for p in json.loads(f["data"])["points"]
    ]
    assert epochs == list(range(1, 201))
    assert [int(frame["id"]) for frame in resumed if "id" in frame] == ids[1:]


def test_a_running_job_is_cancelled_and_one_that_ended_is_not(
    client: httpx2.Client, penguins: str, model: dict[str, object]
) -> None:
    training = {"epochs": 100_000, "early_stopping": None, "batch_size": 1}
    job = submit(client, wait=0, dataset=penguins, target="species", training=training).json()
    path = f"/v1/jobs/{job['id']}"
    with client.stream("GET", f"{path}/stream") as stream:
        for line in stream.iter_lines():
            if line == "event: epoch":
                break

    first = client.post(f"{path}/cancel")
    with client.stream("GET", f"{path}/stream") as stream:
        assert [line for line in stream.iter_lines() if line.startswith("event:")][
            -1
        ] == "event: done"

    assert first.status_code == 202
    assert client.get(path).json()["state"] == "cancelled"
    assert client.post(f"{path}/cancel").status_code == 202
    assert client.post(f"/v1/jobs/{model['id']}/cancel").status_code == 409


def test_lists_page_without_gap_or_repeat(
    client: httpx2.Client, model: object, penguins: str
) -> None:
    for _ in range(3):
        submit(
            client, dataset=penguins, target="island", training={"epochs": 1}, tags={"run": "paged"}
        )

    found: list[str] = []
    path: str | None = "/v1/jobs?limit=2&tag.run=paged"
    while path is not None:
        answer = client.get(path)
        found += [job["id"] for job in answer.json()["data"]]
        path = answer.links["next"]["url"] if "next" in answer.links else None

    assert len(found) == len(set(found)) == 3
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"target": "nothing"}, "/target"),
        ({"features": ["species"]}, "/features/0"),
        ({"features": ["island", "nothing"]}, "/features/1"),
        ({"task": "binary"}, "/task"),
        ({"task": "regression"}, "/task"),
        ({"training": {"loss": "mse"}}, "/training/loss"),
        ({"network": {"layers": [{"units": 4096}] * 16}}, "/network/layers"),
        ({"training": {"epochs": 10**9}}, "/training/epochs"),
    ],
)
def test_a_job_that_does_not_fit_its_data_names_the_field(
    client: httpx2.Client, penguins: str, change: dict[str, object], pointer: str
) -> None:
    answer = client.post("/v1/jobs", json={"dataset": penguins, "target": "species", **change})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


def test_a_dataset_is_kept_while_a_job_needs_it(
    client: httpx2.Client, penguins: str, model: object
) -> None:
    assert client.delete(f"/v1/datasets/{penguins}").status_code == 409
