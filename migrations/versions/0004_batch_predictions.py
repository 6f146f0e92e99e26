"""Batch predictions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    json = sa.JSON(none_as_null=True)
    op.create_table(
        "batch_predictions",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model_sha256", sa.String(64), nullable=False),
        sa.Column("dataset_id", sa.String(40), nullable=False),
        sa.Column("dataset_sha256", sa.String(64), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(16), nullable=False),
        sa.Column("threshold", sa.Float(precision=53), nullable=True),
        sa.Column("created_at", sa.Float(precision=53), nullable=False),
        sa.Column("started_at", sa.Float(precision=53), nullable=True),
        sa.Column("finished_at", sa.Float(precision=53), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("warnings", json, nullable=True),
        sa.Column("result", json, nullable=True),
        sa.Column("error", json, nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.Float(precision=53), nullable=True),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batch_predictions")),
    )
    op.create_index("ix_batch_predictions_claim", "batch_predictions", ["state", "id"])
    op.create_index(op.f("ix_batch_predictions_model"), "batch_predictions", ["model"])
    op.create_index(op.f("ix_batch_predictions_dataset_id"), "batch_predictions", ["dataset_id"])


def downgrade() -> None:
    """Undo. The files of results stay in the data folder."""
    op.drop_table("batch_predictions")
