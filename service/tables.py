"""Every table of the database, on one page."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any]


class Utc(TypeDecorator[datetime]):
    """A moment, stored as seconds since 1970: every database agrees on it, and none has a zone."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> float | None:
        """To the database."""
        return None if value is None else value.timestamp()

    def process_result_value(self, value: float | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else datetime.fromtimestamp(value, UTC)


class Table(DeclarativeBase):
    """Base of all tables; constraints get names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: Utc,
        Json: JSON(none_as_null=True),
        list[Json]: JSON(none_as_null=True),
        float: Float(53),
    }


class Dataset(Table):
    """A table somebody sent: its file is `datasets/<sha256>.parquet`."""

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    format: Mapped[str] = mapped_column(String(16))
    rows: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[list[Json]]
    warnings: Mapped[list[Json]]
    source: Mapped[Json | None]


class Job(Table):
    """A training job: the record and the queue at once."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default="train")
    subject: Mapped[Json | None]  # what it is about, where that is not its model
    state: Mapped[str] = mapped_column(String(16))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"), index=True)
    model: Mapped[str] = mapped_column(String(100))
    spec: Mapped[Json]
    warnings: Mapped[list[Json]]
    tags: Mapped[Json]
    rank: Mapped[int]  # minus the priority, so that one ascending index gives the order of claims
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    # The lease. `fence` grows with every claim, and every later write names it.
    fence: Mapped[int] = mapped_column(Integer, default=0)
    owner: Mapped[str | None] = mapped_column(String(160))
    lease_until: Mapped[float | None]
    crashes: Mapped[int] = mapped_column(Integer, default=0)  # its processes' deaths, and
    losses: Mapped[int] = mapped_column(Integer, default=0)  # its workers', since a checkpoint
    share: Mapped[str] = mapped_column(String(256), default="")  # who it counts for, in turn

    # One line of JSON a state it came into, appended by the very write that changed it.
    history: Mapped[str] = mapped_column(Text, default="")

    epoch: Mapped[float] = mapped_column(Float(53), default=0.0)
    rows_per_second: Mapped[float | None]
    result: Mapped[Json | None]
    error: Mapped[Json | None]

    __table_args__ = (
        Index("ix_jobs_claim", "state", "rank", "id"),
        Index("ix_jobs_finished", "finished_at"),
    )


class Checkpoint(Table):
    """Where a run was, so that it can go on from there to the same bytes.

    Small states are kept here, large ones in `checkpoints/<file>`.
    """

    __tablename__ = "checkpoints"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[float] = mapped_column(Float(53), primary_key=True, autoincrement=False)
    created_at: Mapped[datetime]
    best_epoch: Mapped[int]
    seconds: Mapped[float]  # of training up to here, over all its runs
    train_loss: Mapped[float | None]
    validation_loss: Mapped[float | None]
    size: Mapped[int] = mapped_column(BigInteger)  # in bytes
    sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    file: Mapped[str | None] = mapped_column(String(128))


class EpochMetrics(Table):
    """What one epoch measured. Epochs computed again after a crash overwrite themselves."""

    __tablename__ = "epoch_metrics"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    point: Mapped[Json]

    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012


class Trial(Table):
    """One network of a sweep: what was tried, and what came of it. Those trained again after a
    crash overwrite themselves.
    """

    __tablename__ = "trials"

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    turn: Mapped[int]
    candidate: Mapped[int]
    repeat: Mapped[int]
    point: Mapped[Json]
    share: Mapped[float]
    loss: Mapped[float | None]
    outcome: Mapped[Json]
    losses: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)  # of judging rows


class Event(Table):
    """One line of a job's durable log; ids only grow."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    time: Mapped[datetime]
    level: Mapped[str] = mapped_column(String(8))
    type: Mapped[str] = mapped_column(String(32))
    message: Mapped[str]
    data: Mapped[Json | None]

    __table_args__ = (Index("ix_events_job", "job_id", "id"), {"sqlite_autoincrement": True})


class Model(Table):
    """A name under which versions are published.

    `generation` is the registry's clock at the last change of what the name means, so that a
    process finds what changed since it last looked.
    """

    __tablename__ = "models"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    created_at: Mapped[datetime]
    description: Mapped[str] = mapped_column(String(10_000), default="")
    task: Mapped[str] = mapped_column(String(16))  # of the latest version, to search by
    latest_version: Mapped[int]
    last_number: Mapped[int]  # numbers of deleted versions are not given again
    generation: Mapped[int] = mapped_column(index=True)

    __table_args__ = (Index("ix_models_task", "task", "name"),)


class ModelTag(Table):
    """One tag of a model."""

    __tablename__ = "model_tags"

    model: Mapped[str] = mapped_column(
        ForeignKey("models.name", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(256))

    __table_args__ = (Index("ix_model_tags_pair", "key", "value", "model"),)


class ModelVersion(Table):
    """One network: its file is `models/<sha256>.safetensors`. Imported ones have no job."""

    __tablename__ = "model_versions"

    model: Mapped[str] = mapped_column(ForeignKey("models.name"), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), unique=True)
    created_at: Mapped[datetime]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    task: Mapped[str] = mapped_column(String(16))
    target: Mapped[str] = mapped_column(String(128))
    signature: Mapped[Json]
    metrics: Mapped[Json]
    baseline: Mapped[Json]
    lineage: Mapped[Json]
    evaluation: Mapped[Json | None]  # confusion matrix or residuals of the rows that judged it
    verified: Mapped[Json | None]  # what the last verification found, and when


def _of_version(version: str = "version", **options: Any) -> ForeignKeyConstraint:
    """A reference to a version of the row's own model."""
    return ForeignKeyConstraint(
        ["model", version], ["model_versions.model", "model_versions.version"], **options
    )


class ModelAlias(Table):
    """A name for a version that can be moved to another."""

    __tablename__ = "model_aliases"

    model: Mapped[str] = mapped_column(String(100), primary_key=True)
    alias: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int]
    changed_at: Mapped[datetime]

    __table_args__ = (_of_version(), Index("ix_model_aliases_version", "model", "version"))


class ModelTraffic(Table):
    """A version's share of the calls that name none; a shadow has none and is only compared."""

    __tablename__ = "model_traffic"

    model: Mapped[str] = mapped_column(String(100), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    percent: Mapped[int]
    shadow: Mapped[bool]

    __table_args__ = (_of_version(),)


class ShadowRecord(Table):
    """How a shadow's answers compare with those that were given, summed up."""

    __tablename__ = "shadow_records"

    model: Mapped[str] = mapped_column(String(100), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    shadow: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    rows: Mapped[int] = mapped_column(BigInteger)
    agreed: Mapped[int] = mapped_column(BigInteger)
    difference: Mapped[float]  # sum over rows
    absolute_difference: Mapped[float]
    largest_difference: Mapped[float]
    skipped: Mapped[int] = mapped_column(BigInteger)
    failed: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        _of_version(ondelete="CASCADE"),
        _of_version("shadow", ondelete="CASCADE"),
    )


class RegistryClock(Table):
    """One row that every change of the registry locks and advances."""

    __tablename__ = "registry_clock"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    generation: Mapped[int]
    deleted: Mapped[int]  # generation of the last deletion, which leaves no row to find


class BatchPrediction(Table):
    """A model's predictions for a whole data set: the record and the queue at once."""

    __tablename__ = "batch_predictions"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    # By value: a batch that has ended outlives its model and its data set.
    model: Mapped[str] = mapped_column(String(100), index=True)
    version: Mapped[int]
    model_sha256: Mapped[str] = mapped_column(String(64))
    dataset_id: Mapped[str] = mapped_column(String(40), index=True)
    dataset_sha256: Mapped[str] = mapped_column(String(64))
    rows: Mapped[int]
    format: Mapped[str] = mapped_column(String(16))
    threshold: Mapped[float | None]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    done: Mapped[int]
    warnings: Mapped[list[Json] | None]
    result: Mapped[Json | None]
    error: Mapped[Json | None]

    fence: Mapped[int]
    lease_until: Mapped[float | None]
    crashes: Mapped[int]

    __table_args__ = (Index("ix_batch_predictions_claim", "state", "id"),)


class IdempotencyKey(Table):
    """The answer to a creating request, under a digest of who asked for what with which key."""

    __tablename__ = "idempotency_keys"

    scope: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[str]
    headers: Mapped[Json]
    created_at: Mapped[datetime] = mapped_column(index=True)


class Webhook(Table):
    """Who wants to be told of which ends of jobs."""

    __tablename__ = "webhooks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    url: Mapped[str] = mapped_column(String(2000))
    events: Mapped[Json]
    description: Mapped[str] = mapped_column(String(200))
    secret: Mapped[str] = mapped_column(String(64))  # signing needs it as it is
    enabled: Mapped[bool]
    created_at: Mapped[datetime]


class WebhookDelivery(Table):
    """One message to one webhook: the log, and the queue of what is still to be sent."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    webhook_id: Mapped[str] = mapped_column(ForeignKey("webhooks.id"))
    type: Mapped[str] = mapped_column(String(32))
    body: Mapped[str]
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int]
    next_at: Mapped[float]
    status: Mapped[int | None]
    error: Mapped[str | None]
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_webhook_deliveries_due", "state", "next_at"),
        Index("ix_webhook_deliveries_log", "webhook_id", "id"),
    )


class WebhookCursor(Table):
    """The last event that was turned into deliveries; one row."""

    __tablename__ = "webhook_cursor"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    event_id: Mapped[int] = mapped_column(BigInteger)
