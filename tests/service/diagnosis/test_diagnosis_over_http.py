"""The doctor as its users meet it: sick jobs in, findings, fixes and their outcome out."""

import json

import httpx2
import numpy as np
import pytest

WAIT = {"Prefer": "wait=60"}
SLOW = {
    "epochs": 30,
    "optimizer": {"name": "adam", "learning_rate": 0.00003},
}


def submit(
    client: httpx2.Client, dataset: str, target: str, **changes: object
) -> dict[str, object]:
    body = {"dataset": dataset, "target": target, "model": "doctor", "seed": 3, **changes}
    answer = client.post("/v1/jobs", json=body, headers=WAIT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def diagnosis(client: httpx2.Client, job: object) -> dict[str, dict[str, object]]:
    answer = client.get(f"/v1/jobs/{job}/diagnosis")
    assert answer.status_code == 200, answer.text
    assert answer.json()["complete"]
    return {finding["rule"]: finding for finding in answer.json()["data"]}


@pytest.fixture(scope="module")
def slow(client: httpx2.Client, penguins: str) -> dict[str, object]:
    return submit(client, penguins, "species", training=SLOW)


def test_a_good_run_has_no_finding(client: httpx2.Client, penguins: str) -> None:
    training = {"optimizer": {"name": "adam", "learning_rate": 0.01}}
    job = submit(client, penguins, "species", training=training, features=["bill_length_mm",
                 "bill_depth_mm", "flipper_length_mm", "body_mass_g"])  # fmt: skip
    assert diagnosis(client, job["id"]) == {}


def test_short_steps_are_found_mended_and_the_mending_is_judged(
    client: httpx2.Client, slow: dict[str, object]
) -> None:
    found = diagnosis(client, slow["id"])["too_slow"]
    assert found["fix"]["training"]["optimizer"]["learning_rate"] == pytest.approx(0.01)
    assert found["evidence"]["curve"]["of"] == "train_loss"
    assert len(found["evidence"]["curve"]["values"]) == 30
    assert found["fixes"] == []

    made = client.post(
        f"/v1/jobs/{slow['id']}/apply-fix", json={"finding": "too_slow"}, headers=WAIT
    )
    assert made.status_code == 200, made.text
    assert made.json()["seed"] == slow["seed"]
    assert made.json()["training"]["optimizer"]["learning_rate"] == pytest.approx(0.01)

    (outcome,) = diagnosis(client, slow["id"])["too_slow"]["fixes"]
    assert outcome["job"] == made.json()["id"]
    assert outcome["helped"] is True
    for key, job in (("before", slow), ("after", made.json())):
        points = client.get(f"/v1/jobs/{job['id']}/metrics").json()["data"]
        best = min(point["validation_loss"] for point in points)
        assert outcome[f"validation_loss_{key}"] == pytest.approx(best)


def test_findings_are_in_the_log_and_the_stream(
    client: httpx2.Client, slow: dict[str, object]
) -> None:
    events = client.get(f"/v1/jobs/{slow['id']}/events").json()["data"]
    (logged,) = [event for event in events if event["type"] == "finding"]
    assert logged["level"] == "warning"
    frames = client.get(f"/v1/jobs/{slow['id']}/stream").text.split("\n\n")
    (frame,) = [frame for frame in frames if "event: finding" in frame]
    assert f"id: {logged['id']}\n" in frame
    told = json.loads(frame.split("data: ", 1)[1])
    assert told["finding"] == logged["data"]


def test_a_running_job_is_diagnosed(client: httpx2.Client) -> None:
    spirals = client.post(
        "/v1/datasets/generate", json={"kind": "spirals", "rows": 5000, "noise": 0.1, "seed": 1}
    ).json()["id"]
    body = {
        "dataset": spirals,
        "target": "label",
        "model": "doctor",
        "network": {"layers": [{"units": 64, "activation": "sigmoid"}] * 7},
        "training": {"epochs": 100_000, "early_stopping": None},
    }
    job = client.post("/v1/jobs", json=body).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/stream") as stream:
        line = next(line for line in stream.iter_lines() if line == "event: finding")
    assert line
    found = client.get(f"/v1/jobs/{job}/diagnosis").json()
    client.post(f"/v1/jobs/{job}/cancel")
    assert found["complete"] is False
    assert "vanishing_gradient" in {finding["rule"] for finding in found["data"]}


def test_a_copy_of_the_target_is_named(client: httpx2.Client) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 200))
    lines = ["x,copy,y", *(f"{a},{3 * b + 1},{b}" for a, b in zip(x, y, strict=True))]
    made = client.post(
        "/v1/datasets", content="\n".join(lines), headers={"Content-Type": "text/csv"}
    )
    job = submit(client, made.json()["id"], "y")
    found = diagnosis(client, job["id"])["leaking_column"]
    assert found["evidence"]["numbers"]["columns"] == ["copy"]
    assert found["fix"] == {"features": ["x"]}


def test_a_diverged_job_says_why(client: httpx2.Client) -> None:
    line = client.post(
        "/v1/datasets/generate", json={"kind": "linear", "rows": 200, "noise": 0.1, "seed": 5}
    ).json()["id"]
    job = submit(
        client, line, "y",
        network={"layers": [{"units": 16, "activation": "relu"}]},
        training={"optimizer": {"name": "sgd", "learning_rate": 100}},
    )  # fmt: skip
    assert job["state"] == "failed"
    found = diagnosis(client, job["id"])["unstable"]
    assert found["severity"] == "error"
    client.post(f"/v1/jobs/{job['id']}/apply-fix", json={"finding": "unstable"}, headers=WAIT)
    (outcome,) = diagnosis(client, job["id"])["unstable"]["fixes"]
    assert outcome["helped"] is True


def test_what_is_not_there_cannot_be_applied(
    client: httpx2.Client, slow: dict[str, object]
) -> None:
    path = f"/v1/jobs/{slow['id']}/apply-fix"
    assert client.post(path, json={"finding": "dead_units"}).status_code == 404
    assert client.post(path, json={}).status_code == 422
    assert client.get("/v1/jobs/job_none/diagnosis").status_code == 404
