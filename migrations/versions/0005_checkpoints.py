"""Checkpoints, the history of each job, and what fair shares and estimates need."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Columns are added in place: other tables refer to `jobs`."""
    op.add_column("jobs", sa.Column("losses", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("share", sa.String(256), nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("history", sa.Text(), nullable=False, server_default=""))
    op.create_index("ix_jobs_finished", "jobs", ["finished_at"])
    _tell_history()
    op.create_table(
        "checkpoints",
        sa.Column("job_id", sa.String(40), nullable=False),
        sa.Column("epoch", sa.Float(53), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("best_epoch", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(53), nullable=False),
        sa.Column("train_loss", sa.Float(53), nullable=True),
        sa.Column("validation_loss", sa.Float(53), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.Column("file", sa.String(128), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("fk_checkpoints_job_id_jobs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "epoch", name=op.f("pk_checkpoints")),
    )


def _tell_history() -> None:
    """Jobs that are older than their history get the moments that their columns know."""
    newline = "chr(10)" if op.get_bind().dialect.name == "postgresql" else "char(10)"
    for state, column in (
        ("'queued'", "created_at"),
        ("'running'", "started_at"),
        ("state", "finished_at"),
    ):
        op.execute(
            'UPDATE jobs SET history = history || \'{"state":"\' || '  # noqa: S608 - our words
            + f'{state} || \'","time":\' || {column} || \',"cause":"","actor":""}}\' '
            + f"|| {newline} WHERE {column} IS NOT NULL"
        )


def downgrade() -> None:
    """Undo. Paused jobs, which the older schema does not know, wait again."""
    op.drop_table("checkpoints")
    op.drop_index("ix_jobs_finished", "jobs")
    op.execute("UPDATE jobs SET state = 'interrupted' WHERE state IN ('paused', 'pausing')")
    for name in ("history", "share", "losses"):
        op.drop_column("jobs", name)
