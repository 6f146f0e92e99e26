"""Aliases, traffic, shadows, tags and descriptions of models; versions that no job made."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    # Columns are added in place: copying `models` would drop a table that others refer to.
    op.add_column(
        "models", sa.Column("description", sa.String(10_000), nullable=False, server_default="")
    )
    op.add_column("models", sa.Column("task", sa.String(16), nullable=False, server_default=""))
    op.add_column(
        "models", sa.Column("last_number", sa.Integer(), nullable=False, server_default="0")
    )
    op.add_column(
        "models", sa.Column("generation", sa.Integer(), nullable=False, server_default="0")
    )
    op.execute(
        "UPDATE models SET last_number = latest_version, task = (SELECT v.task "
        "FROM model_versions v WHERE v.model = models.name AND v.version = models.latest_version)"
    )
    op.create_index("ix_models_task", "models", ["task", "name"])
    op.create_index(op.f("ix_models_generation"), "models", ["generation"])
    with op.batch_alter_table("model_versions") as batch:
        batch.alter_column("job_id", existing_type=sa.String(40), nullable=True)
        batch.add_column(sa.Column("evaluation", sa.JSON(none_as_null=True), nullable=True))
    _create_tables()
    op.execute("INSERT INTO registry_clock (id, generation, deleted) VALUES (1, 0, 0)")


def _of_version(
    table: str, column: str = "version", ondelete: str | None = None
) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_model_{column}_model_versions"
    return sa.ForeignKeyConstraint(
        ["model", column],
        ["model_versions.model", "model_versions.version"],
        name=op.f(name),
        ondelete=ondelete,
    )


def _create_tables() -> None:
    op.create_table(
        "model_tags",
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.String(256), nullable=False),
        sa.ForeignKeyConstraint(
            ["model"], ["models.name"], name=op.f("fk_model_tags_model_models"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_model_tags")),
    )
    op.create_index("ix_model_tags_pair", "model_tags", ["key", "value", "model"])
    op.create_table(
        "model_aliases",
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.Float(53), nullable=False),
        _of_version("model_aliases"),
        sa.PrimaryKeyConstraint("model", "alias", name=op.f("pk_model_aliases")),
    )
    op.create_index("ix_model_aliases_version", "model_aliases", ["model", "version"])
    op.create_table(
        "model_traffic",
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("percent", sa.Integer(), nullable=False),
        sa.Column("shadow", sa.Boolean(), nullable=False),
        _of_version("model_traffic"),
        sa.PrimaryKeyConstraint("model", "version", name=op.f("pk_model_traffic")),
    )
    op.create_table(
        "shadow_records",
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shadow", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_at", sa.Float(53), nullable=False),
        sa.Column("last_at", sa.Float(53), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("agreed", sa.BigInteger(), nullable=False),
        sa.Column("difference", sa.Float(53), nullable=False),
        sa.Column("absolute_difference", sa.Float(53), nullable=False),
        sa.Column("largest_difference", sa.Float(53), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        _of_version("shadow_records", ondelete="CASCADE"),
        _of_version("shadow_records", "shadow", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("model", "version", "shadow", name=op.f("pk_shadow_records")),
    )
    op.create_table(
        "registry_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registry_clock")),
    )


def downgrade() -> None:
    """Undo. Versions that no job made have no place in the older schema and go."""
    for table in (
        "registry_clock",
        "shadow_records",
        "model_traffic",
        "model_aliases",
        "model_tags",
    ):
        op.drop_table(table)
    op.execute("DELETE FROM model_versions WHERE job_id IS NULL")
    op.execute(
        "DELETE FROM models WHERE NOT EXISTS (SELECT 1 FROM model_versions v WHERE v.model = name)"
    )
    op.execute(
        "UPDATE models SET latest_version = "
        "(SELECT max(v.version) FROM model_versions v WHERE v.model = models.name)"
    )
    with op.batch_alter_table("model_versions") as batch:
        batch.drop_column("evaluation")
        batch.alter_column("job_id", existing_type=sa.String(40), nullable=False)
    op.drop_index(op.f("ix_models_generation"), "models")
    op.drop_index("ix_models_task", "models")
    for column in ("generation", "last_number", "task", "description"):
        op.drop_column("models", column)
