"""Kinds of jobs, and what the last verification of a version found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply. Columns are added in place: other tables refer to these."""
    op.add_column("jobs", sa.Column("kind", sa.String(16), nullable=False, server_default="train"))
    op.add_column("jobs", sa.Column("subject", sa.JSON(none_as_null=True), nullable=True))
    op.add_column(
        "model_versions", sa.Column("verified", sa.JSON(none_as_null=True), nullable=True)
    )


def downgrade() -> None:
    """Undo. Jobs of other kinds than training have no place in the older schema and go."""
    op.drop_column("model_versions", "verified")
    op.execute("DELETE FROM jobs WHERE kind <> 'train'")
    op.drop_column("jobs", "subject")
    op.drop_column("jobs", "kind")
