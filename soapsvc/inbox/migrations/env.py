"""Alembic runs this for each command: on the connection that it is handed, in one transaction."""

from __future__ import annotations

from alembic import context

from soapsvc.inbox.search_tables import SEARCH_METADATA
from soapsvc.inbox.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=[METADATA, SEARCH_METADATA],
    transactional_ddl=True,  # SQLite too: database.py begins transactions itself, so a kill leaves no half schema
)
with context.begin_transaction():
    context.run_migrations()
