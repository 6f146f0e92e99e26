"""Ends of jobs reach those who asked, signed, whatever dies in between, and nobody inside."""

import base64
import hashlib
import hmac
import http.server
import ipaddress
import json
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from service.webhooks import sending, signing, store
from tests.conftest import Service, running, wait_until
from tests.service.test_problems import check

JOB = {"dataset": "ds_sample_penguins", "target": "species", "training": {"epochs": 2}}
FAST = {"SIGMOID_WEBHOOK_RETRY_SECONDS": "0.05", "SIGMOID_WEBHOOK_TIMEOUT_SECONDS": "2",
        "SIGMOID_WORKERS": "1"}  # fmt: skip


class Receiver:
    """A real HTTP server that answers as it is told and remembers what came."""

    def __init__(self) -> None:
        self.messages: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.messages.append(
                    ({name.lower(): value for name, value in self.headers.items()}, body)
                )
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("Location", f"http://127.0.0.1:{receiver.port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(
        tmp_path_factory.mktemp("hooks"), SIGMOID_WEBHOOK_ALLOW_PRIVATE="true", **FAST
    ) as service:
        httpx2.post(f"{service.url}/v1/datasets/samples/penguins", timeout=30)
        yield service


@pytest.fixture
def http_(service: Service) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=service.url, timeout=90) as client:
        yield client


def add(client: httpx2.Client, url: str, **options: object) -> dict[str, str]:
    answer = client.post("/v1/webhooks", json={"url": url, **options})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def delivery(client: httpx2.Client, hook: str) -> Callable[[], dict[str, object] | None]:
    """The newest delivery once it has ended."""

    def look() -> dict[str, object] | None:
        found = client.get(f"/v1/webhooks/{hook}/deliveries").json()["data"]
        return found[0] if found and found[0]["state"] != "pending" else None

    return look


def verify(secret: str, headers: dict[str, str], body: bytes) -> None:
    """As the specification has it, written down apart from the code that signs."""
    key = base64.b64decode(secret.split("_", 1)[1])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the Standard Webhooks libraries."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    signature = signing.sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_end_of_a_job_arrives_signed_and_once(http_: httpx2.Client, receiver: Receiver) -> None:
    hook = add(http_, receiver.url, events=["job.succeeded"])
    path = http_.post("/v1/jobs", json=JOB).headers["location"]
    wait_until(delivery(http_, hook["id"]), 90)
    job = http_.get(path).json()

    assert len(receiver.messages) == 1
    headers, body = receiver.messages[0]
    verify(hook["secret"], headers, body)
    message = json.loads(body)
    assert message["type"] == "job.succeeded"
    assert message["data"]["job"] == job["id"]
    assert message["data"]["result"]["version"] == job["result"]["version"]
    log = http_.get(f"/v1/webhooks/{hook['id']}/deliveries").json()["data"]
    assert [(one["id"], one["state"], one["attempts"], one["status"]) for one in log] == [
        (headers["webhook-id"], "delivered", 1, 204)
    ]
    assert "secret" not in http_.get(f"/v1/webhooks/{hook['id']}").json()
    assert http_.delete(f"/v1/webhooks/{hook['id']}").status_code == 204
    check(http_.get(f"/v1/webhooks/{hook['id']}"), 404, "not-found")


def test_failures_are_tried_again_as_the_same_message(
    http_: httpx2.Client, receiver: Receiver
) -> None:
    receiver.statuses = [500, 302, 429]
    hook = add(http_, receiver.url)
    assert http_.post(f"/v1/webhooks/{hook['id']}/test").status_code == 202
    wait_until(delivery(http_, hook["id"]))

    assert len(receiver.messages) == 4  # and the redirect was not followed
    assert len({headers["webhook-id"] for headers, _ in receiver.messages}) == 1
    for headers, body in receiver.messages:
        verify(hook["secret"], headers, body)
    log = http_.get(f"/v1/webhooks/{hook['id']}/deliveries").json()["data"]
    assert (log[0]["state"], log[0]["attempts"]) == ("delivered", 4)
    http_.delete(f"/v1/webhooks/{hook['id']}")


def test_gone_switches_it_off_and_patch_on_again(http_: httpx2.Client, receiver: Receiver) -> None:
    receiver.statuses = [410]
    hook = add(http_, receiver.url)
    http_.post(f"/v1/webhooks/{hook['id']}/test")
    wait_until(delivery(http_, hook["id"]))

    path = f"/v1/webhooks/{hook['id']}"
    assert http_.get(path).json()["enabled"] is False
    assert http_.patch(path, json={"enabled": True}).json()["enabled"] is True
    http_.delete(path)


def test_a_message_outlives_a_kill_of_everything(tmp_path: Path, receiver: Receiver) -> None:
    receiver.statuses = [503] * 3
    slow = {**FAST, "SIGMOID_WEBHOOK_RETRY_SECONDS": "1", "SIGMOID_WEBHOOK_ALLOW_PRIVATE": "true"}
    with running(tmp_path, **slow) as service:
        with httpx2.Client(base_url=service.url, timeout=60) as client:
            hook = add(client, receiver.url)
            client.post(f"/v1/webhooks/{hook['id']}/test")
            wait_until(lambda: receiver.messages)
        service.stop(signal.SIGKILL)
        receiver.statuses.clear()
        service.start()
        with httpx2.Client(base_url=service.url, timeout=60) as client:
            wait_until(delivery(client, hook["id"]))
    assert len({headers["webhook-id"] for headers, _ in receiver.messages}) == 1
    assert len(receiver.messages) >= 2


def test_nothing_inside_is_reached(tmp_path: Path, receiver: Receiver) -> None:
    with (
        running(tmp_path, SIGMOID_WEBHOOK_ATTEMPTS="1", **FAST) as service,
        httpx2.Client(base_url=service.url, timeout=60) as client,
    ):
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "0x7f.1",
        ):
            hook = add(client, f"http://{host}:{receiver.port}/")
            client.post(f"/v1/webhooks/{hook['id']}/test")
            wait_until(delivery(client, hook["id"]))
            log = client.get(f"/v1/webhooks/{hook['id']}/deliveries").json()["data"]
            assert log[0]["state"] == "failed"
            assert "private" in log[0]["error"]
    assert receiver.messages == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
     "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
     "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::"],
)  # fmt: skip
def test_inner_addresses_are_told_apart(address: str) -> None:
    assert not sending.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_public(address: str) -> None:
    assert sending.is_public(ipaddress.ip_address(address))


def test_the_checked_address_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """A name that gives a public address first and an inner one afterwards is looked up once."""
    looked = []
    genuine = sending.socket.getaddrinfo

    def resolve(host: str, port: int, *rest: int, **named: int) -> list[tuple[object, ...]]:
        if host != "rebound.example":
            return genuine(host, port, *rest, **named)
        looked.append(host)
        place = "203.0.114.9" if len(looked) == 1 else "127.0.0.1"
        return genuine(place, port, *rest, **named)

    monkeypatch.setattr(sending.socket, "getaddrinfo", resolve)
    with pytest.raises(sending.Refused, match=r"reached|in time"):
        sending.post(
            f"http://rebound.example:{receiver.port}/", b"{}", {}, seconds=0.2, allow_private=False
        )
    assert looked == ["rebound.example"]
    assert receiver.messages == []


@pytest.mark.parametrize(
    "url", ["ftp://example.com", "http://", "file:///etc/passwd", "http://u:p@example.com", "x",
            "http://example.com/#a", "http://exa mple.com"],
)  # fmt: skip
def test_what_is_no_address_is_refused(http_: httpx2.Client, url: str) -> None:
    found = check(http_.post("/v1/webhooks", json={"url": url}), 422, "invalid-request")
    assert found["errors"][0]["pointer"] == "/url"


def test_pauses_grow_to_a_bound_with_jitter() -> None:
    for attempt in range(1, 30):
        usual = min(store.LONGEST_PAUSE_SECONDS, 5 * 4 ** (attempt - 1))
        pauses = {store.pause(attempt, 5.0) for _ in range(20)}
        assert len(pauses) > 1
        assert all(0.75 * usual <= one <= 1.25 * usual for one in pauses)
