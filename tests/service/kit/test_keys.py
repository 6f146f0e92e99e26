"""With keys set, nothing is open that is not meant to be."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from service.app import create_app
from service.kit.keys import (
    FAILURES_A_MINUTE,
    PUBLIC,
    KeysInvalid,
    Scoped,
    entry,
    keyring,
    needed,
    new_secret,
)
from service.settings import Settings
from tests.conftest import Service, running
from tests.service.predictions.test_predictions_over_http import ROW
from tests.service.test_problems import check

SECRETS = {scope: new_secret() for scope in ("read", "train", "admin")}
KEYS = " ".join(entry(f"{scope}-key", scope, secret) for scope, secret in SECRETS.items())
COMMAND = [sys.executable, "-m", "service"]


def bearer(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS[scope]}"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("keys"), SIGMOID_API_KEYS=KEYS) as service:
        client = httpx2.Client(base_url=service.url, timeout=90, headers=bearer("train"))
        with client:
            client.post("/v1/datasets/samples/penguins")
            body = {"dataset": "ds_sample_penguins", "target": "species", "model": "m",
                    "training": {"epochs": 2}}  # fmt: skip
            answer = client.post("/v1/jobs", json=body, headers={"Prefer": "wait=60"})
            assert answer.json()["state"] == "succeeded", answer.text
        yield service


def ask(service: Service, method: str, path: str, **options: object) -> httpx2.Response:
    return httpx2.request(method, f"{service.url}{path}", timeout=30, **options)


def test_no_route_answers_without_a_key(guarded: Service) -> None:
    paths = create_app(Settings()).openapi()["paths"]
    asked = [(method.upper(), path) for path, ways in paths.items() for method in ways]
    assert len(asked) > 60
    with httpx2.Client(base_url=guarded.url, timeout=30) as client:
        for method, template in [*asked, ("GET", "/openapi.json"), ("GET", "/nowhere")]:
            path = template.replace("{", "").replace("}", "")
            answer = client.request(method, path)
            if path in PUBLIC and method == "GET":
                assert answer.status_code == 200, path
            else:
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    ["//v1/models", "/v1/models/", "/V1/models", "/v1/%6dodels", "/v1/./models", "/livez/",
     "/livez/../v1/models", "/static/../v1/models", "/livez%2f..%2fv1/models", "/livez?x=/v1",
     "/static/%2e%2e/v1/models"],
)  # fmt: skip
def test_no_other_spelling_gets_in(guarded: Service, path: str) -> None:
    import socket

    with socket.create_connection(("127.0.0.1", guarded.port), timeout=10) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b""
        while piece := connection.recv(1 << 16):
            answer += piece
    status = int(answer.split()[1])
    assert status in (401, 404) or path == "/livez?x=/v1"
    assert b"has_more" not in answer


def test_scopes_bound_what_a_key_may_do(guarded: Service) -> None:
    predict = {"json": {"rows": [ROW]}}
    moons = {"json": {"kind": "moons", "rows": 50, "seed": 1}}
    assert ask(guarded, "GET", "/v1/models", headers=bearer("read")).status_code == 200
    asked = ask(guarded, "POST", "/v1/models/m/predict", headers=bearer("read"), **predict)
    assert asked.status_code == 200
    check(
        ask(guarded, "POST", "/v1/datasets/generate", headers=bearer("read"), **moons),
        403,
        "insufficient-scope",
    )
    check(ask(guarded, "DELETE", "/v1/models/m", headers=bearer("read")), 403, "insufficient-scope")
    made = ask(guarded, "POST", "/v1/datasets/generate", headers=bearer("train"), **moons)
    assert made.status_code in (200, 201)


def test_the_fast_lane_asks_for_a_key_too(guarded: Service) -> None:
    predict = {"json": {"rows": [ROW]}}
    for headers in ({}, {"Authorization": "Bearer sig_wrong"}):
        for _ in range(3):  # the first call loads the model, so that the next take the lane
            ask(guarded, "POST", "/v1/models/m/predict", headers=bearer("read"), **predict)
        answer = ask(guarded, "POST", "/v1/models/m/predict", headers=headers, **predict)
        assert answer.status_code in (401, 429)


def test_the_protocols_own_errors_keep_their_form(guarded: Service) -> None:
    answer = ask(guarded, "GET", "/v2/models/m")
    assert answer.status_code == 401
    assert set(answer.json()) == {"error"}


def test_one_caller_does_not_see_the_keys_of_another(guarded: Service) -> None:
    once = {"Idempotency-Key": "same-for-all"}
    body = {"json": {"kind": "xor", "rows": 60, "seed": 2}}
    path = "/v1/datasets/generate"
    ask(guarded, "POST", path, headers={**bearer("train"), **once}, **body)
    other = ask(guarded, "POST", path, headers={**bearer("admin"), **once}, **body)
    again = ask(guarded, "POST", path, headers={**bearer("train"), **once}, **body)
    assert "idempotent-replayed" not in other.headers
    assert again.headers["idempotent-replayed"] == "true"


def test_wrong_keys_are_slowed_and_valid_ones_are_not(guarded: Service) -> None:
    for header in ("Basic YTpi", "Bearer é".encode("latin-1"), "Bearer", "sig_x"):
        answer = ask(guarded, "GET", "/v1/models", headers={"Authorization": header})
        assert answer.status_code in (401, 429)
    with httpx2.Client(base_url=guarded.url, timeout=30) as client:
        wrong = {"Authorization": "Bearer sig_" + "a" * 43}
        statuses = [
            client.get("/v1/models", headers=wrong).status_code
            for _ in range(FAILURES_A_MINUTE + 2)
        ]
        assert statuses[-1] == 429
        limited = client.get("/v1/models", headers=wrong)
        check(limited, 429, "rate-limited")
        assert 1 <= int(limited.headers["retry-after"]) <= 60
        assert client.get("/v1/models", headers=bearer("read")).status_code == 200
    twice = [("Authorization", f"Bearer {SECRETS['read']}")] * 2
    check(ask(guarded, "GET", "/v1/models", headers=twice), 400, "malformed-request")


def test_the_command_line_passes_its_key(guarded: Service, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps([ROW]))
    command = [*COMMAND, "predict", "m", "--file", str(rows), "--url", guarded.url]

    def run(**environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=60
        )

    assert run(SIGMOID_API_KEY=SECRETS["read"]).returncode == 0
    refused = run()
    assert refused.returncode == 1
    assert "HTTP 401" in refused.stderr or "HTTP 429" in refused.stderr


def test_config_show_masks_the_keys() -> None:
    shown = subprocess.run(
        [*COMMAND, "config", "show"], env={**os.environ, "SIGMOID_API_KEYS": KEYS},
        capture_output=True, text=True, timeout=60,
    ).stdout  # fmt: skip
    assert "SIGMOID_API_KEYS=********" in shown
    assert KEYS.split(":")[2][:64] not in shown


def test_the_key_command_makes_what_the_setting_takes() -> None:
    made = subprocess.run(
        [*COMMAND, "key", "ci", "--scope", "admin"], capture_output=True, text=True, timeout=60
    ).stdout
    secret, line = (part.rsplit(": ", 1)[1] for part in made.strip().splitlines())
    caller = keyring(line).caller(f"bearer {secret}".encode())
    assert caller is not None
    assert (caller.name, caller.scope) == ("ci", Scoped.ADMIN)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_open_port_beyond_loopback_does_not_start(host: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [*COMMAND, "serve", "--host", host, "--port", "0"], capture_output=True, text=True,
        timeout=60, env={**os.environ, "SIGMOID_DATA_DIR": str(tmp_path)},
    )  # fmt: skip
    assert ended.returncode == 4
    assert "SIGMOID_API_KEYS" in ended.stderr
    assert not (tmp_path / "sigmoid.db").exists()


@pytest.mark.parametrize(
    "text", ["a:read", "a:owner:" + "0" * 64, "A:read:" + "0" * 64, "a:read:" + "g" * 64]
)
def test_keys_that_cannot_be_read_are_an_error(text: str) -> None:
    with pytest.raises(KeysInvalid, match="entry 1"):
        keyring(text)


def test_what_changes_nothing_needs_the_least() -> None:
    assert needed("GET", "/v1/jobs") is Scoped.READ
    assert needed("POST", "/v1/models/m/predict") is Scoped.READ
    assert needed("DELETE", "/v1/models/m/predict") is Scoped.TRAIN
    assert needed("PROPFIND", "/v1/jobs") is Scoped.TRAIN
