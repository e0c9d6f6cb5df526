"""What the bridge keeps: pages of each station's books, what a backend has authorised, the group of a station."""

import sqlalchemy as sa
from alembic import op

from gateway.store.columns import UtcTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column and the tables; nothing that is there changes."""
    op.add_column("stations", sa.Column("station_group", sa.Text(), nullable=True))
    op.create_table(
        "book_pages",
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("identity", "name", name="pk_book_pages"),
        sa.ForeignKeyConstraint(["identity"], ["stations.identity"], name="fk_book_pages_identity", ondelete="CASCADE"),
    )
    op.create_table(
        "authorizations",
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("id_tag", sa.Text(), nullable=False),
        sa.Column("info", sa.Text(), nullable=False),
        sa.Column("heard_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("backend", "id_tag", name="pk_authorizations"),
    )
    op.create_index("ix_authorizations_heard_at", "authorizations", ["heard_at"])
