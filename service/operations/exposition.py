"""The service's figures in the form that Prometheus reads, gathered when it asks."""

import itertools
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from service.jobs.states import State as JobState
from service.kit.counting import Key, total
from service.kit.disk import free_bytes
from service.kit.metering import BOUNDS
from service.state import State
from service.tables import Job

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Figures(Collector):
    """All metric families, made anew for every scrape."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        """The families."""
        counted = total(self._state.settings.folder("run") / "counters")
        yield _requests(counted)
        yield _predictions(counted)
        yield from _jobs(self._state)
        yield from _storage(self._state)


def expose(state: State) -> bytes:
    """The text of `GET /metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(state))
    return generate_latest(registry)


def _requests(counted: dict[Key, list[int]]) -> Metric:
    family = HistogramMetricFamily(
        "sigmoid_http_request_duration_seconds",
        "Requests by route and status, and the time until the answer was sent.",
        labels=["method", "route", "status"],
    )
    bounds = [*map(str, BOUNDS), "+Inf"]
    for (kind, *labels), values in sorted(counted.items()):
        if kind == "http":
            heights = itertools.accumulate(values[:-1])
            buckets = list(zip(bounds, heights, strict=True))
            family.add_metric(labels, buckets, values[-1] / 1e9)
    return family


def _predictions(counted: dict[Key, list[int]]) -> Metric:
    family = CounterMetricFamily(
        "sigmoid_predictions", "Prediction requests answered with 200, by model.", labels=["model"]
    )
    for (kind, *labels), values in sorted(counted.items()):
        if kind == "predictions":
            family.add_metric(labels, values[0])
    return family


def _jobs(state: State) -> Iterator[Metric]:
    with state.database.read() as session:
        found = session.execute(select(Job.state, func.count()).group_by(Job.state)).all()
    counts: dict[str, int] = {name: number for name, number in found}  # noqa: C416 - rows
    family = GaugeMetricFamily("sigmoid_jobs", "Jobs kept, by state.", labels=["state"])
    for name in JobState:
        family.add_metric([name.value], counts.get(name, 0))
    yield family


def _storage(state: State) -> Iterator[Metric]:
    database = state.database
    yield GaugeMetricFamily(
        "sigmoid_sqlite_wal_safe",
        "1 where SQLite has the repair of the WAL-reset race; 0 where checkpoints are guarded.",
        value=int(database.wal_is_safe),
    )
    yield GaugeMetricFamily(
        "sigmoid_disk_free_bytes",
        "Free space of the data folder's disk.",
        value=free_bytes(state.settings),
    )
    yield GaugeMetricFamily(
        "sigmoid_draining", "1 while the service stops.", value=int(state.changes.draining)
    )
