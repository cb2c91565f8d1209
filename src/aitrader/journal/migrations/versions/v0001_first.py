"""The first tables: the account, the chain, and one table per family of rows; nothing in them can be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_FAMILIES = {
    "runs": ("run_id",),
    "book": (),
    "decisions": ("decision",),
    "intents": ("client_id",),
    "order_events": ("client_id",),
    "fills": ("fill_id", "client_id"),
    "halts": ("latch",),
}


def upgrade() -> None:
    """Make the tables and the triggers that keep every row."""
    op.create_table(
        "account",
        sa.Column("book", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "host", "number")),
    )
    op.create_table(
        "chain",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "hash")),
    )
    for name, keys in _FAMILIES.items():
        op.create_table(
            name,
            sa.Column("seq", sa.Integer, sa.ForeignKey("chain.seq"), primary_key=True, autoincrement=False),
            sa.Column("at", sa.Text, nullable=False),
            *(sa.Column(key, sa.Text, nullable=False, unique=key == "fill_id") for key in keys),
            *([sa.Column("symbol", sa.Text)] if name == "book" else []),
            sa.Column("body", sa.Text, nullable=False),
        )
    for name in ("account", "chain", *_FAMILIES):
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
                "BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END"
            )
