"""Stores messages, chats and contacts. Read: `app.py`, `changes.py`, `store.py`."""
