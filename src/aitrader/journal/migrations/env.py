"""What Alembic runs: the versions, on the connection and in the transaction of whoever opened the journal."""

from alembic import context

from aitrader.journal.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
