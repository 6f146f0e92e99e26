"""One shape for every failure, whatever was sent."""

import socket

import httpx2
import pytest

JSON = {"Content-Type": "application/json"}
SECRET = "b7d1-secret-value"


def check(answer: httpx2.Response, status: int, slug: str) -> dict[str, object]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = answer.json()
    assert document["type"] == f"/problems/{slug}"
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    assert SECRET not in answer.text
    return document


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataset": NaN}',
        b'{"seed": Infinity}',
        b'{"training": {"optimizer": {"learning_rate": 1e999}}}',
        b'{"dataset": "\\ud800"}',
        b"[" * 100_000,
        b'{"dataset": "\xff\xfe"}',
        b'\xff\xfe{\x00"\x00',
        b'\xef\xbb\xbf{"dataset": "x"}',
        b'{"dataset": "a", "target": "b", "target": "c"}',
        b'{"dataset": "a"} trailing',
        b'{"dataset": ',
        b"",
    ],
    ids=["nan", "infinity", "1e999", "surrogate", "deep", "utf8", "utf16", "bom", "twin", "tail",
         "cut", "empty"],
)  # fmt: skip
@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/v1/datasets/generate", "/v1/models/penguins/predict"]
)
def test_what_is_not_json_is_refused_as_such(
    client: httpx2.Client, model: object, path: str, body: bytes
) -> None:
    answer = client.post(path, content=body, headers=JSON)

    assert answer.status_code in (400, 422), answer.text
    check(answer, answer.status_code, str(answer.json()["type"]).removeprefix("/problems/"))


@pytest.mark.parametrize("body", [b"null", b"[]", b'""', b"3", b"{}"])
def test_json_of_another_shape_is_unprocessable(client: httpx2.Client, body: bytes) -> None:
    document = check(client.post("/v1/jobs", content=body, headers=JSON), 422, "invalid-request")

    assert document["errors"]


def test_a_huge_integer_is_refused(client: httpx2.Client) -> None:
    body = b'{"dataset": "a", "target": "b", "seed": ' + b"9" * 5000 + b"}"

    assert client.post("/v1/jobs", content=body, headers=JSON).status_code in (400, 422)


def test_unknown_fields_and_wrong_types_are_named_by_pointer(client: httpx2.Client) -> None:
    body = {
        "dataset": "a",
        "target": "b",
        "training": {"epochs": "5", "learning_rat": 1, "l2": True},
        "seed": -1,
        "tags": {"k": SECRET, "x": 3},
    }

    document = check(client.post("/v1/jobs", json=body), 422, "invalid-request")

    pointers = {error["pointer"] for error in document["errors"]}  # type: ignore[attr-defined]
    assert {
        "/training/epochs",
        "/training/learning_rat",
        "/training/l2",
        "/seed",
        "/tags/x",
    } <= pointers


def test_a_body_of_another_type_is_refused_with_a_hint(client: httpx2.Client) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = client.post("/v1/jobs", content=b"{}", headers={"Content-Type": kind})
        document = check(answer, 415, "unsupported-media-type")
        assert "application/json" in str(document["detail"])


def test_a_body_past_the_limit_is_refused_before_it_is_read(client: httpx2.Client) -> None:
    answer = client.post("/v1/jobs", content=b" " * (2 << 20), headers=JSON)

    check(answer, 413, "too-large")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/job_nothing",
        "/v1/jobs/-1",
        "/v1/jobs/%00",
        "/v1/jobs/%ff",
        "/v1/jobs/%252e%252e",
        "/v1/datasets/9223372036854775808",
        "/v1/models/..%2f..",
        "/v1/models/nothing/versions/1",
        "/v1/nowhere",
        "/V1/jobs",
        "/problems/nothing",
    ],
)
def test_what_is_not_there_is_not_found(client: httpx2.Client, path: str) -> None:
    check(client.get(path), 404, "not-found")


def test_a_method_that_is_not_known_says_which_are(client: httpx2.Client) -> None:
    answer = client.put("/v1/jobs", json={})

    check(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


def test_bad_query_parameters_are_named(client: httpx2.Client) -> None:
    for query in ("limit=0", "limit=1000000000", "limit=-1", "limit=x", "status=flying"):
        document = check(client.get(f"/v1/jobs?{query}"), 422, "invalid-request")
        name = query.split("=")[0]
        assert document["errors"][0]["pointer"] == f"/query/{name}"  # type: ignore[index]


def test_a_rebound_name_is_not_served(client: httpx2.Client) -> None:
    for host in ("evil.example", "evil.example:8000", "a/livez?x="):
        check(client.get("/livez", headers={"Host": host}), 400, "invalid-host")
    for host in ("localhost:1", "10.1.2.3:8000", "[::1]:80"):
        assert client.get("/livez", headers={"Host": host}).status_code == 200


def test_pages_of_other_origins_change_nothing(client: httpx2.Client) -> None:
    for headers in (
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
    ):
        answer = client.post("/v1/datasets/samples/penguins", headers=headers)
        check(answer, 403, "cross-origin-blocked")


def test_our_own_page_may(client: httpx2.Client, server: str) -> None:
    answer = client.post("/v1/datasets/samples/penguins", headers={"Origin": server})

    assert answer.status_code in (200, 201)


def test_a_request_id_is_kept_and_a_strange_one_replaced(client: httpx2.Client) -> None:
    kept = client.get("/livez", headers={"X-Request-ID": "abc-1"})
    replaced = client.get("/livez", headers={"X-Request-ID": "a b" * 50})

    assert kept.headers["x-request-id"] == "abc-1"
    assert " " not in replaced.headers["x-request-id"]


def test_every_kind_of_problem_is_explained(client: httpx2.Client) -> None:
    from service.kit.problems import CATALOGUE

    for slug, kind in CATALOGUE.items():
        answer = client.get(f"/problems/{slug}")
        assert answer.json()["title"] == kind.title


def test_bytes_that_are_not_http_get_an_answer_or_a_closed_door(server: str) -> None:
    host, port = server.removeprefix("http://").split(":")
    for junk in (b"\x00\x01\x02\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(junk)
            assert connection.recv(4096).startswith((b"HTTP/1.1 400", b""))
