"""Fixtures of the adapters' tests."""

from tests.postgres import postgres_url, empty_postgres_url, postgres

__all__ = ["postgres_url", "empty_postgres_url", "postgres"]
