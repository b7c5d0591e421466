"""Revisions of the schema, for Alembic. A new one is a file in `versions/` and its name in `tables.REVISION`."""
