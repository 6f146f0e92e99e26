"""An application without a server: asked through ASGI, with models of the tests' own making."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from core import files
from core.columns import Category, Numeric
from core.initializers import initialize
from core.model import Model
from core.network import Layer, Network
from core.preprocessing import Preprocessor
from core.targets import fit_target
from service.app import create_app
from service.predictions.lane import FastLane
from service.settings import Settings
from service.supervisor import prepare
from tests.service.models.conftest import add_version

LINKS = {"regression": "identity", "binary": "sigmoid", "multiclass": "softmax"}
LEVELS = ("red", "green", "at: noon")


def made(task: str) -> Model:
    """An untrained model of two numbers, a category and a boolean."""
    random = np.random.default_rng(5)
    table = {
        "size": Numeric(random.normal(5.0, 2.0, 80)),
        "colour": Category(random.integers(0, 3, 80).astype(np.int32), LEVELS),
        "sold": Category(random.integers(0, 2, 80).astype(np.int32), ("false", "true")),
        "weight / kg": Numeric(random.normal(1e3, 50.0, 80)),
        "regression": Numeric(random.normal(1e3, 50.0, 80)),
        "binary": Category(random.integers(0, 2, 80).astype(np.int32), ("no", "yes")),
        "multiclass": Numeric(random.integers(3, 6, 80).astype(np.float64)),
    }
    target, _ = fit_target(table[task], task)
    preprocessor = Preprocessor.fit(table, ["size", "colour", "sold", "weight / kg"])
    network = Network(
        preprocessor.width, (Layer(8, "sigmoid"), Layer(6, "relu")), target.outputs, LINKS[task]
    )
    return Model(task, task, preprocessor, network, initialize(network, 3, "float32"), target)


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class InProcess:
    """The application and its fast lane, running in a loop that tests step into."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self.lane = FastLane(app)
        self._app = app
        self._runner = runner
        self.passed_on = 0

        async def counted(*given: Any) -> None:
            self.passed_on += 1
            await app(*given)

        counted.state = app.state  # type: ignore[attr-defined]
        self.lane.app = counted  # type: ignore[assignment]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def through_lane(self, path: str, body: bytes, headers: dict[str, str] | None = None) -> Answer:
        return self.run(_post(self.lane, path, body, headers or {}))

    def through_route(
        self, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> Answer:
        return self.run(_post(self._app, path, body, headers or {}))


async def _post(app: Any, path: str, body: bytes, headers: dict[str, str]) -> Answer:
    """One POST, its body in two pieces when it is long, as servers deliver it."""
    half = len(body) if len(body) < 60_000 else len(body) // 2
    sent: list[dict[str, Any]] = []
    given = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    await deliver(app, path, given, iter(filter(None, (body[:half], body[half:]))), sent.append)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], sorted(sent[0]["headers"]), content)


async def deliver(
    app: Any,
    path: str,
    headers: dict[str, str],
    pieces: Iterator[bytes],
    sent: Callable[[dict[str, Any]], object],
) -> None:
    """One POST whose caller stays until it has the whole answer."""
    ahead = [next(pieces, b"")]
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not ahead:
            await ended.wait()
            return {"type": "http.disconnect"}
        following = next(pieces, None)
        piece = ahead.pop()
        if following is not None:
            ahead.append(following)
        return {"type": "http.request", "body": piece, "more_body": following is not None}

    async def send(message: dict[str, Any]) -> None:
        sent(message)

    bare, _, query = path.partition("?")
    given = {"host": "127.0.0.1:8000", "x-request-id": "the-same", **headers}
    scope = {
        "type": "http", "method": "POST", "path": bare, "raw_path": bare.encode(),
        "query_string": query.encode(), "root_path": "", "http_version": "1.1", "scheme": "http",
        "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "asgi": {"version": "3.0"},
        "headers": [(n.encode(), v.encode("latin-1")) for n, v in given.items() if v != ""],
    }  # fmt: skip
    await app(scope, receive, send)
    ended.set()


@pytest.fixture(scope="session")
def in_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    """One model a task, named by it, in version 1; `champion` stands for it."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("in-process"), max_predict_rows=300)
    prepare(settings)
    app = create_app(settings)
    with asyncio.Runner() as runner:
        context = app.router.lifespan_context(app)
        runner.run(context.__aenter__())
        for task in LINKS:
            publish(app, settings.folder("models"), task, made(task))
        try:
            yield InProcess(app, runner)
        finally:
            runner.run(context.__aexit__(None, None, None))


def publish(app: FastAPI, folder: Path, name: str, model: Model) -> None:
    content = files.dump(model)
    sha256 = hashlib.sha256(content).hexdigest()
    (folder / f"{sha256}.safetensors").write_bytes(content)
    add_version(app.state.held.database, name, sha256)
