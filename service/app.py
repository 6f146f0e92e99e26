"""The ASGI application, put together. Importing this does nothing; `create_app` does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from service.batches.routes import router as batches
from service.compatible.fine_tuning import router as fine_tuning
from service.compatible.invocations import router as invocations
from service.compatible.tensorflow import router as tensorflow
from service.datasets.routes import router as datasets
from service.diagnosis.routes import router as diagnosis
from service.exports.routes import router as exports
from service.inference_protocol.routes import router as inference_protocol
from service.jobs.routes import router as jobs
from service.kit import failures, openapi
from service.kit.admission import Admission
from service.kit.changes import Changes
from service.kit.counting import Counters
from service.kit.database import Database
from service.kit.doorbell import Doorbell
from service.kit.edge import Edge
from service.kit.keys import Doorkeeper, keyring
from service.kit.metering import Meter, Metered
from service.models.resolution import Names
from service.models.routers import ROUTERS as MODELS
from service.models.shadows import Shadows
from service.models.shelf import Shelf
from service.operations.routes import router as operations
from service.predictions.routes import router as predictions
from service.settings import Settings
from service.state import State
from service.sweeps.routes import router as sweeps
from service.web.examples import with_real_ids
from service.web.routes import router as web
from service.webhooks.routes import router as webhooks

DESCRIPTION = """
Send a table, get a trained neural network behind an endpoint.

1. **Data**: upload a table, or take a sample or a generator.
2. **Job**: name the data set and the target; watch the network learn.
3. **Model**: every succeeded job publishes a version; ask it for predictions.

Errors are [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem documents; their `type`
explains itself.
"""
TAGS = [
    {"name": "datasets", "description": "Tables, typed and profiled."},
    {"name": "jobs", "description": "Training, queued and watched."},
    {"name": "sweeps", "description": "Experiments: many networks on the same rows."},
    {"name": "models", "description": "What training gave, in versions."},
    {"name": "predictions", "description": "Asking a model."},
    {
        "name": "open inference protocol",
        "description": "Predictions for the clients of Triton, KServe and MLServer.",
    },
    {
        "name": "compatible routes",
        "description": "In the shape of MLflow, SageMaker, TensorFlow Serving and OpenAI.",
    },
    {"name": "webhooks", "description": "Being told when a job has ended."},
    {"name": "operations", "description": "For those who run the service."},
]


def create_app(settings: Settings) -> FastAPI:
    """The service on its (migrated) database, ready to be run by any ASGI server."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.url)
        names = Names(database)
        shelf = Shelf(names, settings.folder("models"), settings.model_cache_bytes)
        changes = Changes(Doorbell(settings.folder("run")), on_publish=names.rung)
        app.state.settings = settings
        counters = Counters(settings.folder("run") / "counters")
        shadows = Shadows(shelf, database)
        app.state.held = State(settings, database, changes, names, shelf, shadows, Meter(counters))
        changes.start()
        names.start()
        shadows.start()
        yield
        shadows.stop()
        names.stop()
        changes.stop()
        database.close()
        counters.close()

    app = FastAPI(
        title="Sigmoid",
        version=version("sigmoid"),
        summary="Train a neural network from a table and serve it over HTTP.",
        description=DESCRIPTION,
        openapi_tags=TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    for router in (
        datasets, jobs, sweeps, diagnosis, *MODELS, exports, predictions, batches,
        inference_protocol, invocations, tensorflow, fine_tuning, webhooks, operations, web,
    ):  # fmt: skip
        app.include_router(router)
    failures.install(app)
    openapi.install(app)
    app.add_middleware(Admission, settings=settings)
    app.state.keys = keyring(settings.api_keys.get_secret_value())
    app.add_middleware(Doorkeeper, keys=app.state.keys)
    app.add_middleware(Edge, hosts=settings.allowed_hosts, origins=settings.allowed_origins)

    app.add_middleware(Metered)

    @app.get("/openapi.json", include_in_schema=False)
    def show_document(request: Request) -> Any:
        return JSONResponse(with_real_ids(app.openapi(), request.app.state.held.database))

    return app
