"""Brings events to whoever listens over HTTP."""
