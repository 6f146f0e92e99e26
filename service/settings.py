"""Every setting of the service, read once from `SIGMOID_*` variables, with units and reasons."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """The service's configuration. Values given to the constructor win over the environment."""

    model_config = SettingsConfigDict(env_prefix="SIGMOID_", extra="ignore", frozen=True)

    host: str = Field("127.0.0.1", description="Address the API listens on.")
    port: int = Field(
        8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one."
    )
    data_dir: Path = Field(
        Path("data"), description="Folder of the database, data sets and models. A local disk."
    )
    database_url: SecretStr | None = Field(
        None, description="SQLAlchemy URL. Default: SQLite in the data folder."
    )
    workers: int = Field(
        default_factory=lambda: max(1, (os.cpu_count() or 2) - 1),
        ge=1,
        le=256,
        description="Jobs that train at the same time. One core stays free for predictions.",
    )
    api_processes: int = Field(
        1,
        ge=1,
        le=64,
        description="API processes that share the port. Each predicts on a core of its own and "
        "keeps models in memory of its own.",
    )
    allowed_hosts: list[str] = Field(
        default_factory=list,
        description="Names this service answers to besides localhost and plain addresses; "
        "anything else may be a rebound name in somebody's browser.",
    )
    allowed_origins: list[str] = Field(
        default_factory=list,
        description="Web origins whose pages may change things here. Default: only our own.",
    )
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys that may ask, as `name:scope:sha256` separated by spaces; `sigmoid key` "
        "makes one. None: everybody who reaches the port may do everything.",
    )
    allow_open: bool = Field(
        False, description="Listen beyond loopback without keys; something else guards the port."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is logged: debug, info, warning or error."
    )

    lease_seconds: float = Field(
        10.0, gt=0, le=600, description="A worker silent for this long has lost its jobs."
    )
    beat_seconds: float = Field(
        0.2,
        gt=0,
        le=60,
        description="How often progress of running jobs is written, in one commit.",
    )
    sweep_seconds: float = Field(
        1.0, gt=0, le=60, description="How often to look for changes whose doorbell went unheard."
    )
    max_crashes: int = Field(
        3, ge=1, le=100, description="A job whose process died this often fails as poison."
    )
    checkpoint_seconds: float = Field(
        2.0,
        gt=0,
        le=3600,
        description="How often a run saves where it is; less often where saving takes long.",
    )
    checkpoints_kept: int = Field(
        3, ge=1, le=100, description="Newest checkpoints kept of a job; the best is kept besides."
    )
    grace_seconds: float = Field(
        8.0,
        gt=0,
        le=600,
        description="Time a run gets to save where it is, at a pause or a stop of the service.",
    )
    job_memory_bytes: int = Field(
        2 << 30,
        ge=64 << 20,
        description="Most memory of one job's own; one that needs more fails as memory_exceeded.",
    )
    job_threads: int = Field(
        2,
        ge=1,
        le=8,
        description="Most threads of a job with a large network, while processors are idle; "
        "the result does not depend on it.",
    )
    job_niceness: int = Field(
        5, ge=0, le=19, description="How much jobs stand back behind predictions for the processor."
    )
    overrun_seconds: float = Field(
        60.0,
        gt=0,
        description="Time beyond its training that a job gets; then it fails as time_budget.",
    )
    fair_share_tag: str | None = Field(
        None,
        max_length=64,
        description="Tag whose values take turns: among equal priorities, the value with the "
        "fewest running jobs is next.",
    )
    max_seconds: float = Field(
        3600.0,
        gt=0,
        description="Longest training of one job; then it ends as if its epochs were over.",
    )

    janitor_seconds: float = Field(
        300.0, gt=0, description="How often old things are looked for and removed."
    )
    keep_metrics_seconds: float = Field(
        30 * 86400.0, ge=0, description="After that long a job's learning curve is thinned."
    )
    keep_metrics_points: int = Field(
        1_000, ge=10, description="Points of a thinned curve, lowest and highest of each stretch."
    )
    keep_events_seconds: float = Field(
        90 * 86400.0, ge=0, description="After that long a job's log keeps its end alone."
    )
    keep_checkpoints_seconds: float = Field(
        7 * 86400.0, ge=0, description="After that long an ended job's checkpoints go."
    )
    keep_deliveries_seconds: float = Field(
        30 * 86400.0, ge=0, description="After that long ended webhook deliveries go."
    )
    keep_orphan_seconds: float = Field(
        3600.0, ge=0, description="Age from which files that nothing names are removed."
    )
    idempotency_seconds: float = Field(
        86400.0, gt=0, description="How long an Idempotency-Key is remembered."
    )

    webhook_attempts: int = Field(
        8, ge=1, le=100, description="How often a webhook's message is tried before it has failed."
    )
    webhook_retry_seconds: float = Field(
        5.0, gt=0, description="Pause after the first failed attempt; later ones grow fourfold."
    )
    webhook_timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="Time a receiver has to answer a webhook."
    )
    webhook_allow_private: bool = Field(
        False, description="Send webhooks to private, loopback and link-local addresses too."
    )

    max_json_bytes: int = Field(
        1 << 20, ge=1024, description="Largest JSON body but for predictions."
    )
    max_predict_bytes: int = Field(8 << 20, ge=1024, description="Largest prediction body.")
    max_predict_rows: int = Field(10_000, ge=1, description="Most rows of one prediction.")
    invocations_model: str | None = Field(
        None,
        max_length=165,
        description="Model that `/invocations` asks, `name`, `name:version` or `name:alias`; "
        "without it the only one there is.",
    )
    max_model_bytes: int = Field(64 << 20, ge=1024, description="Largest model file to import.")
    max_upload_bytes: int = Field(64 << 20, ge=1, description="Largest upload, as sent.")
    max_decompressed_bytes: int = Field(
        256 << 20, ge=1, description="Largest upload, decompressed."
    )
    max_rows: int = Field(1_000_000, ge=1, description="Most rows of a data set.")
    max_columns: int = Field(1_000, ge=1, description="Most columns of a data set.")
    max_cells: int = Field(20_000_000, ge=1, description="Most cells of a data set.")
    max_queued: int = Field(100, ge=1, description="Most jobs waiting; more are refused with 429.")
    max_parameters: int = Field(5_000_000, ge=1, description="Most weights of one network.")
    max_epochs: int = Field(100_000, ge=1, description="Most epochs of one job.")
    max_work: float = Field(
        2e14, gt=0, description="Most arithmetic of one job: 6 × parameters × rows × epochs."
    )
    max_streams: int = Field(
        200, ge=1, description="Event streams and waiting requests at once, an API process."
    )
    max_control_requests: int = Field(
        32, ge=1, description="Requests at work at once besides those below, an API process."
    )
    max_predict_requests: int = Field(
        default_factory=lambda: 2 * (os.cpu_count() or 2),
        ge=1,
        description="Predictions at work at once outside the fast lane, an API process.",
    )
    max_connections: int = Field(
        512, ge=1, description="Connections open at once, an API process; more get 503."
    )
    max_header_bytes: int = Field(16 << 10, ge=1024, description="Largest headers of a request.")
    max_header_fields: int = Field(100, ge=10, description="Most header fields of a request.")
    max_url_bytes: int = Field(8 << 10, ge=256, description="Longest address with its query.")
    max_header_seconds: float = Field(
        10.0, gt=0, description="Time for a request's headers to arrive."
    )
    min_body_seconds: float = Field(
        30.0, gt=0, description="Time for a body to arrive, besides a second for each 16 KiB."
    )
    max_body_seconds: float = Field(600.0, gt=0, description="Longest time for a body to arrive.")
    max_stall_seconds: float = Field(
        60.0, gt=0, description="How long an answer waits for a client that does not read it."
    )
    max_uploads: int = Field(4, ge=1, description="Uploads at once, an API process.")
    max_waiting_requests: int = Field(
        64, ge=0, description="Requests of each kind that may wait for a place; more get 503."
    )
    max_wait_seconds: float = Field(
        1.0, gt=0, description="How long a request waits for a place before it gets 503."
    )
    min_free_bytes: int = Field(
        16 << 20, ge=0, description="Uploads are refused below this much disk."
    )
    model_cache_bytes: int = Field(
        256 << 20, ge=1, description="Memory for loaded models, a process; the one in use stays."
    )

    @property
    def url(self) -> str:
        """The database's SQLAlchemy URL."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.resolve() / 'sigmoid.db'}"

    def folder(self, name: str) -> Path:
        """A folder inside the data folder, made when it is not there."""
        path = self.data_dir.resolve() / name
        path.mkdir(parents=True, exist_ok=True)
        return path
