"""The figures for Prometheus: complete, summed over processes, and cheap to count."""

import os
import signal
import time
import timeit
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.kit.counting import Counters, total
from service.kit.metering import MOST_MODELS, OTHER, Meter
from tests.conftest import Service, running
from tests.service.predictions.test_predictions_over_http import ROW
from tests.service.test_api_processes import processes, train

DURATION = "sigmoid_http_request_duration_seconds"
Labels = frozenset[tuple[str, str]]


def scrape(service: Service) -> dict[tuple[str, Labels], float]:
    answer = httpx2.get(f"{service.url}/metrics", timeout=30)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def requests(figures: dict[tuple[str, Labels], float], **labels: str) -> float:
    return figures.get((f"{DURATION}_count", frozenset(labels.items())), 0.0)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("metrics"), SIGMOID_API_PROCESSES="2") as service:
        with httpx2.Client(base_url=service.url, timeout=90) as client:
            train(client)
        yield service


def test_requests_are_counted_by_route_and_status_over_all_processes(pair: Service) -> None:
    asked = [
        ("GET", "/v1/datasets/{dataset_id}", "404", "/v1/datasets/ds_none", None),
        ("GET", "/v1/models/{name}", "200", "/v1/models/m", None),
        ("GET", "(none)", "404", "/nowhere/at/all", None),
        ("POST", "/v1/models/{name}/predict", "200", "/v1/models/m/predict", {"rows": [ROW]}),
        ("POST", "/v1/models/{name}/predict", "422", "/v1/models/m/predict", {"rows": [[1]]}),
    ]
    before = scrape(pair)

    def ask(number: int) -> None:
        method, _, _, path, body = asked[number % len(asked)]
        httpx2.request(method, f"{pair.url}{path}", json=body, timeout=30)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(20 * len(asked))))
    after = scrape(pair)

    for method, route, status, _, _ in asked:
        labels = {"method": method, "route": route, "status": status}
        assert requests(after, **labels) - requests(before, **labels) == 20, labels
    name = ("sigmoid_predictions_total", frozenset({("model", "m")}))
    assert after[name] - before.get(name, 0) == 20


def test_buckets_are_cumulative_and_end_at_the_count(pair: Service) -> None:
    figures = scrape(pair)
    series = [labels for name, labels in figures if name == f"{DURATION}_count"]
    assert series
    for labels in series:
        buckets = sorted(
            (float(dict(found)["le"]), value)
            for (name, found), value in figures.items()
            if name == f"{DURATION}_bucket" and found - labels == {("le", dict(found)["le"])}
        )
        heights = [height for _, height in buckets]
        assert heights == sorted(heights)
        assert heights[-1] == figures[f"{DURATION}_count", labels]
        assert figures[f"{DURATION}_sum", labels] > 0


def test_jobs_and_storage_are_shown(pair: Service) -> None:
    figures = scrape(pair)

    assert figures["sigmoid_jobs", frozenset({("state", "succeeded")})] == 1
    assert figures["sigmoid_jobs", frozenset({("state", "queued")})] == 0
    assert figures["sigmoid_sqlite_wal_safe", frozenset()] in (0, 1)
    assert figures["sigmoid_disk_free_bytes", frozenset()] > 0


def test_a_killed_process_takes_no_count_with_it(pair: Service) -> None:
    labels = {"method": "GET", "route": "/v1/models/{name}", "status": "200"}
    before = requests(scrape(pair), **labels)
    for victim in processes(pair):
        os.kill(victim, signal.SIGKILL)
    with httpx2.Client(transport=httpx2.HTTPTransport(retries=20), timeout=60) as client:
        client.get(f"{pair.url}/v1/models/m")

    assert requests(scrape(pair), **labels) >= before + 1


def test_counters_of_two_processes_add_up_and_go_on_after_them(tmp_path: Path) -> None:
    first, second = Counters(tmp_path), Counters(tmp_path)
    first.of(("a", "é"), 2)[1] += 3
    second.of(("a", "é"), 2)[1] += 4
    second.of(("b",), 1)[0] += 1

    assert total(tmp_path) == {("a", "é"): [0, 7], ("b",): [1]}

    first.close()
    third = Counters(tmp_path)
    third.of(("a", "é"), 2)[1] += 1
    assert total(tmp_path) == {("a", "é"): [0, 8], ("b",): [1]}
    assert len(list(tmp_path.iterdir())) == 2
    second.close()
    third.close()


def test_a_full_file_keeps_counting_what_it_has(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    known = counters.of(("known",), 1)
    for number in range(20_000):
        counters.of(("new", str(number)), 8)[0] += 1
    known[0] += 1

    found = total(tmp_path)
    assert found["known",] == [1]
    assert 5_000 < len(found) < 20_000
    counters.close()


def test_many_models_share_one_series(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    meter = Meter(counters)
    for number in range(MOST_MODELS + 10):
        meter.predicted(f"m{number}")

    found = total(tmp_path)
    assert len(found) == MOST_MODELS + 1
    assert found["predictions", OTHER] == [10]
    counters.close()


def test_counting_an_answer_takes_about_a_microsecond(tmp_path: Path) -> None:
    counters = Counters(tmp_path)
    meter = Meter(counters)

    def count() -> None:
        meter.answered("POST", "/v1/models/{name}/predict", 200, 61_234)
        meter.predicted("m")

    seconds = min(timeit.repeat(count, timer=time.process_time, number=5_000, repeat=20)) / 5_000
    assert seconds < 5e-6, seconds  # measured: 0.4e-6
    counters.close()
