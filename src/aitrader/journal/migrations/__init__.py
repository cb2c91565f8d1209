"""How a journal comes to its tables, version by version, run by Alembic."""
