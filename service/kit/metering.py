"""What the service does, counted as it does it: requests by route and status, and their time.

The hot path pays one look-up, one bisection and three additions on shared memory
(`service.kit.counting`), well under a microsecond; names and text are made when somebody asks,
in `service.operations.exposition`.
"""

import re
import time
from bisect import bisect_left

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.kit.counting import Counters, Key

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NANOSECONDS = tuple(int(bound * 1e9) for bound in BOUNDS)
SIZE = len(BOUNDS) + 2  # a count a bucket, the last without a bound, and the sum in nanoseconds
MOST_MODELS = 500  # further names are counted together
OTHER = "(other)"
NO_ROUTE = "(none)"
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_PREDICTS = re.compile(r".*(/predict|:predict|/infer|/invocations)")


class Meter:
    """Counts what one process answers."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._requests: dict[tuple[str, str, int], memoryview] = {}
        self._models: dict[str, memoryview] = {}

    def answered(self, method: str, route: str, status: int, nanoseconds: int) -> None:
        """Count an answer."""
        series = self._requests.get((method, route, status))
        if series is None:
            series = self._series(method, route, status)
        series[bisect_left(_NANOSECONDS, nanoseconds)] += 1
        series[-1] += nanoseconds

    def predicted(self, model: str) -> None:
        """Count an answered prediction request of a model."""
        series = self._models.get(model)
        if series is None:
            name = model if len(self._models) < MOST_MODELS else OTHER
            series = self._counters.of(("predictions", name), 1)
            if name is model:
                self._models[model] = series
        series[0] += 1

    def _series(self, method: str, route: str, status: int) -> memoryview:
        key: Key = ("http", method, route, str(status))
        self._requests[method, route, status] = series = self._counters.of(key, SIZE)
        return series


class Metered:
    """Pure ASGI middleware: times every request, whoever answers it in there."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and count."""
        held = getattr(scope["app"].state, "held", None) if scope["type"] == "http" else None
        if held is None:
            await self.app(scope, receive, send)
            return
        start = time.perf_counter_ns()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, watch)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else OTHER
            route = getattr(scope.get("route"), "path", NO_ROUTE)
            held.meter.answered(method, route, status, time.perf_counter_ns() - start)
            name = scope.get("path_params", {}).get("name")
            if status == 200 and name is not None and _PREDICTS.fullmatch(route):
                held.meter.predicted(name)
