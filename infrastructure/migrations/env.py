"""What Alembic runs: connects to the database it was given and applies the revisions in one transaction.

The address comes as `Config.attributes["url"]` (migrating.py) or, on Alembic's own command line, in the environment
variable MODEL_ORCHESTRATOR_DATABASE_URL; never through an .ini file, where a password would be stored and `%` expanded.
"""

from __future__ import annotations

import os
import re

from alembic import context

from model_orchestrator.domain.errors import ConfigurationError
from model_orchestrator.infrastructure.store.migrating import connection_for_migrations
from model_orchestrator.infrastructure.store.tables import metadata

_READ_MODELS = re.compile(r"projections|\w+_v\d+_\d+")  # made by the application, and disposable


def migrate() -> None:
    """Apply, or compare, as the command asks."""
    url = context.config.attributes.get("url") or os.environ.get("MODEL_ORCHESTRATOR_DATABASE_URL")
    if not url:
        raise ConfigurationError("set MODEL_ORCHESTRATOR_DATABASE_URL to sqlite:///PATH or postgresql://...")
    with connection_for_migrations(url) as connection:
        dialect = connection.dialect.name
        schemas = {"log", "views"} if dialect == "postgresql" else {None}
        context.configure(
            connection=connection,
            target_metadata=metadata(dialect),
            version_table_schema="log" if dialect == "postgresql" else None,
            include_schemas=dialect == "postgresql",
            include_name=lambda name, kind, _: _is_ours(name, kind, schemas),
            transactional_ddl=True,
        )
        with context.begin_transaction():
            context.run_migrations()


def _is_ours(name: str | None, kind: str, schemas: set[str] | set[None]) -> bool:
    if kind == "schema":
        return name in schemas
    return kind != "table" or not _READ_MODELS.fullmatch(name or "")


migrate()
