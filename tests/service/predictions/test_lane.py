"""The fast lane and the documented route are one and the same to callers."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.kit.keys import entry, keyring, new_secret
from tests.service.predictions.conftest import LINKS, InProcess, made

ROW = {"size": 4.5, "colour": "red", "sold": True, "weight / kg": 1010}
ARRAY = list(ROW.values())
PATH = "/v1/models/binary/predict"
ONE = json.dumps({"rows": [ROW]}).encode()


def changed(**change: object) -> dict[str, object]:
    return {"rows": [ROW, {**ROW, **change}]}


GOOD = {
    "a record": {"rows": [ROW]},
    "records in another order": {"rows": [dict(reversed(ROW.items()))]},
    "an array": {"rows": [ARRAY]},
    "both": {"rows": [ROW, ARRAY]},
    "many": {"rows": [ROW, ARRAY] * 100},
    "missing values": {"rows": [dict.fromkeys(ROW)]},
    "out of range": {"rows": [{**ROW, "size": 1e6}]},
    "an unseen level": {"rows": [{**ROW, "colour": "mauve"}]},
    "a colon in a text": {"rows": [{**ROW, "colour": "at: noon"}]},
    "a threshold": {"rows": [ROW], "threshold": 0.9},
    "the likeliest": {"rows": [ROW, ARRAY], "top_k": 1},
    "both options": {"rows": [ROW], "top_k": 9, "threshold": 0},
    "no options": {"rows": [ROW], "top_k": None, "threshold": None},
    "a large whole number": {"rows": [{**ROW, "size": 10**30}]},
}
BAD = {
    "no rows": {"rows": []},
    "no body": {},
    "rows of another kind": {"rows": "rows"},
    "a row of another kind": {"rows": [3]},
    "too many rows": {"rows": [ARRAY] * 301},
    "a text for a number": changed(size="4"),
    "a boolean for a number": changed(size=True),
    "a number for a text": changed(colour=1),
    "a number for a boolean": changed(sold=1),
    "a nested cell": changed(size=[1]),
    "a column too many": changed(wings=2),
    "a column too few": {"rows": [{"size": 1}]},
    "a cell too many": {"rows": [[*ARRAY, 1]]},
    "beyond float32": changed(size=1e308),
    "beyond float64": changed(size=10**400),
    "another field": {"rows": [ROW], "explain": True},
    "top_k of none": {"rows": [ROW], "top_k": 0},
    "top_k as text": {"rows": [ROW], "top_k": "1"},
    "top_k as a flag": {"rows": [ROW], "top_k": True},
    "a threshold beyond 1": {"rows": [ROW], "threshold": 1.5},
}
RAW = {
    "nothing": b"",
    "no JSON": b"rows",
    "cut short": ONE[:-2],
    "something after": ONE + b" 1",
    "NaN": b'{"rows":[[NaN,"red",true,1]]}',
    "Infinity": b'{"rows":[[-Infinity,"red",true,1]]}',
    "1e999": b'{"rows":[[1e999,"red",true,1]]}',
    "a lone surrogate": b'{"rows":[[1,"\\ud800",true,1]]}',
    "no UTF-8": b'{"rows":[[1,"\xff",true,1]]}',
    "a byte order mark": b"\xef\xbb\xbf" + ONE,
    "a column twice": b'{"rows":[{"size":1,"size":2,"colour":"red","sold":true,"weight / kg":1}]}',
    "rows twice": b'{"rows":[[1,"red",true,1]],"rows":[[1,"red",true,1]]}',
    "an option twice": b'{"rows":[[1,"red",true,1]],"top_k":1,"top_k":2}',
    "an escaped name twice": b'{"rows":[[1,"red",true,1]],"\\u0072ows":[[1,"red",true,1]]}',
    "deep": b'{"rows":' + b"[" * 300 + b"]" * 300 + b"}",
    "very deep": b'{"rows":' + b"[" * 20_000,
    "white space": b" \n" + ONE + b"\t ",
    "a large body": ONE + b" " * 70_000,
}
HEADERS: dict[str, dict[str, str]] = {
    "no type": {"content-type": ""},
    "form": {"content-type": "text/plain"},
    "another JSON": {"content-type": "application/problem+json"},
    "charset": {"content-type": "application/json; charset=utf-8"},
    "gzip": {"content-encoding": "gzip"},
    "a rebound name": {"host": "evil.example"},
    "localhost": {"host": "localhost"},
    "no host": {"host": ""},
    "another origin": {"origin": "http://evil.example"},
    "the same origin": {"origin": "http://127.0.0.1:8000"},
    "cross-site": {"sec-fetch-site": "cross-site"},
    "accept": {"accept": "application/json"},
    "a routing key": {"x-routing-key": "user-17"},
    "a routing key of 300": {"x-routing-key": "k" * 300},
    "a strange id": {"x-request-id": "a b"},
}  # fmt: skip
PATHS = ("/v1/models/{}/predict", "/v1/models/{}/versions/1/predict",
         "/v1/models/{}/versions/latest/predict", "/v1/models/{}/versions/nobody/predict",
         "/v1/models/{}/versions/01/predict", "/v1/models/no-{}/predict",
         "/v1/models/{}/predict/", "/v1/models/{}/predict?a=1")  # fmt: skip


def alike(
    app: InProcess, path: str, body: bytes, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    fast, slow = (ask(path, body, headers) for ask in (app.through_lane, app.through_route))
    assert fast.status == slow.status
    if headers is None or "x-request-id" not in headers:
        assert fast.body == slow.body
        assert fast.headers == slow.headers
    else:  # a fresh id each
        assert [name for name, _ in fast.headers] == [name for name, _ in slow.headers]
    return fast.status, fast.body


@pytest.mark.parametrize("task", LINKS)
@pytest.mark.parametrize("body", [*GOOD.values(), *BAD.values()], ids=[*GOOD, *BAD])
def test_every_body_has_the_same_answer(
    in_process: InProcess, task: str, body: dict[str, object]
) -> None:
    status, content = alike(in_process, f"/v1/models/{task}/predict", json.dumps(body).encode())

    has_options = any(body.get(name) is not None for name in ("top_k", "threshold"))
    if body in GOOD.values() and not has_options:
        assert status == 200, content
    if body in BAD.values():
        assert status == 422, content


@pytest.mark.parametrize("raw", RAW.values(), ids=RAW)
def test_every_text_has_the_same_answer(in_process: InProcess, raw: bytes) -> None:
    status, _ = alike(in_process, PATH, raw)

    assert status == (200 if raw.strip() == ONE else 422 if raw in UNFIT else 400)


UNFIT = {RAW[name] for name in ("deep", "NaN", "Infinity", "1e999")}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_every_header_has_the_same_answer(in_process: InProcess, headers: dict[str, str]) -> None:
    alike(in_process, PATH, ONE, headers)


@pytest.mark.parametrize("path", PATHS)
def test_every_address_has_the_same_answer(in_process: InProcess, path: str) -> None:
    alike(in_process, path.format("multiclass"), ONE)


CELL = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**25), 10**25), st.floats(), st.text(max_size=3),
    st.sampled_from(["red", "green", "at: noon"]),
)  # fmt: skip
TYPED = st.tuples(
    st.none() | st.floats(-1e6, 1e6), st.none() | st.text(max_size=3) | st.just("red"),
    st.none() | st.booleans(), st.integers(900, 1100),
).map(list)  # fmt: skip
LIST = st.lists(TYPED | st.lists(CELL, min_size=3, max_size=5), max_size=4)
RECORDS = st.lists(
    TYPED.map(lambda cells: dict(zip(ROW, cells, strict=True)))
    | st.dictionaries(st.sampled_from([*ROW, "other"]), CELL),
    max_size=4,
)


@given(rows=LIST | RECORDS, task=st.sampled_from([*LINKS]), ascii_only=st.booleans())
@settings(max_examples=250, deadline=None)
def test_whatever_comes_has_the_same_answer(
    in_process: InProcess, rows: list[object], task: str, ascii_only: bool
) -> None:
    body = json.dumps({"rows": rows}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    alike(in_process, f"/v1/models/{task}/predict", body)


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD)
def test_good_bodies_take_the_lane(in_process: InProcess, body: dict[str, object]) -> None:
    raw = json.dumps(body).encode()
    in_process.through_route(PATH, raw)  # by now the model is in memory
    before = in_process.passed_on

    assert in_process.through_lane(PATH, raw).status == 200

    awkward = (GOOD["a colon in a text"], GOOD["no options"])
    assert in_process.passed_on - before == (1 if body in awkward else 0)


@pytest.mark.parametrize("task", LINKS)
def test_a_single_row_has_the_answer_it_has_among_others(in_process: InProcess, task: str) -> None:
    random = np.random.default_rng(2)
    rows = [
        [random.normal(5, 1), ("red", "green")[i % 2], i % 3 == 0, random.normal(1e3, 20)]
        for i in range(50)
    ]
    model = made(task)
    general = model.predict_records(rows)
    expected = general.probabilities if general.values is None else general.values[:, None]

    found = []
    for row in rows:
        answer = in_process.through_lane(
            f"/v1/models/{task}/predict", json.dumps({"rows": [row]}).encode()
        )
        one = json.loads(answer.body)["predictions"][0]
        found.append(list(one["probabilities"].values()) if "label" in one else [one["value"]])

    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-6)


GOOD_KEY = new_secret()


@pytest.mark.parametrize(
    ("shown", "passed_on"),
    [("", 1), (f"Bearer {new_secret()}", 1), (f"Bearer {GOOD_KEY}", 0)],
    ids=["no key", "a wrong key", "a good key"],
)
def test_without_a_good_key_the_lane_answers_nothing(
    in_process: InProcess, shown: str, passed_on: int
) -> None:
    in_process.through_route(PATH, ONE)
    state, before = in_process.lane.app.state, in_process.passed_on
    without, state.keys = state.keys, keyring(entry("alice", "read", GOOD_KEY))
    try:
        in_process.through_lane(PATH, ONE, {"authorization": shown})
    finally:
        state.keys = without

    assert in_process.passed_on - before == passed_on
