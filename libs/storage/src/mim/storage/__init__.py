"""The database, its tables and their migrations. Read: `database.py`, `tables.py`, `migrations/`."""
