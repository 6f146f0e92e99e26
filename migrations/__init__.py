"""Alembic's revisions of the schema, from the first table on."""
