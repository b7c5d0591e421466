"""A system of the test's own, as tests of the whole system have it."""

from tests.e2e.conftest import own_system

__all__ = ["own_system"]
