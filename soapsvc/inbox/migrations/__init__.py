"""Alembic's migrations of the inbox; `database.bring_up_to_date` runs them when a store is opened."""
