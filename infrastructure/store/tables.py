"""The tables, as SQLAlchemy Core sees them: what Alembic compares a database with, and what read models select from.

On PostgreSQL they stand in the schemas `log` and `views`; a SQLite file is the log alone and has no schemas.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

Long = Integer().with_variant(BigInteger(), "postgresql")
Picodollars = Integer().with_variant(Numeric(38, 0), "postgresql")


def metadata(dialect: str) -> MetaData:
    """The tables of a database of this dialect, `sqlite` or `postgresql`."""
    postgresql = dialect == "postgresql"
    tables = MetaData(schema="log" if postgresql else None)
    _events(tables)
    _contents(tables)
    _money(tables)
    _keys(tables)
    _datasets(tables)
    if postgresql:
        _leases(tables)
        _limits(tables)
    return tables


def _events(tables: MetaData) -> None:
    Table(
        "events",
        tables,
        Column("position", Long, nullable=False),
        Column("stream", Text, nullable=False),
        Column("version", Long, nullable=False),
        Column("event_id", LargeBinary, nullable=False),
        Column("type", Text, nullable=False),
        Column("schema_version", Integer, nullable=False),
        Column("occurred_at", Long, nullable=False),
        Column("recorded_at", Long, nullable=False),
        Column("causation_id", Text),
        Column("correlation_id", Text, nullable=False),
        Column("actor", Text, nullable=False),
        Column("payload", Text, nullable=False),
        Column("event_hash", LargeBinary, nullable=False),
        Column("chain_hash", LargeBinary, nullable=False),
        PrimaryKeyConstraint("position", name="pk_events"),
        UniqueConstraint("stream", "version", name="uq_events_stream_version"),
        UniqueConstraint("event_id", name="uq_events_event_id"),
    )
    Table(
        "log_head",
        tables,
        Column("id", Integer, nullable=False),
        Column("position", Long, nullable=False),
        Column("recorded_at", Long, nullable=False),
        Column("chain_hash", LargeBinary, nullable=False),
        PrimaryKeyConstraint("id", name="pk_log_head"),
        CheckConstraint("id = 1", name="ck_log_head_one_row"),
    )


def _contents(tables: MetaData) -> None:
    Table(
        "contents",
        tables,
        Column("ref", Text, nullable=False),
        Column("subject", Text),
        Column("salt", LargeBinary, nullable=False),
        Column("body", LargeBinary, nullable=False),
        PrimaryKeyConstraint("ref", name="pk_contents"),
    )
    Table(
        "content_uses",
        tables,
        Column("ref", Text, nullable=False),
        Column("stream", Text, nullable=False),
        PrimaryKeyConstraint("ref", "stream", name="pk_content_uses"),
    )
    Table(
        "content_keys",
        tables,
        Column("id", LargeBinary, nullable=False),
        Column("owner", Text),
        Column("subject", Text, nullable=False),
        Column("wrapped_by", LargeBinary, nullable=False),
        Column("wrapped", LargeBinary, nullable=False),
        PrimaryKeyConstraint("id", name="pk_content_keys"),
        Index("ix_content_keys_owner", "owner"),
    )
    Table(
        "meta",
        tables,
        Column("key", Text, nullable=False),
        Column("value", LargeBinary, nullable=False),
        PrimaryKeyConstraint("key", name="pk_meta"),
    )


def _money(tables: MetaData) -> None:
    Table(
        "budgets",
        tables,
        Column("scope", Text, nullable=False),
        Column("period", Text, nullable=False),
        Column("limit", Long, nullable=False),
        PrimaryKeyConstraint("scope", "period", name="pk_budgets"),
    )
    Table(
        "balances",
        tables,
        Column("scope", Text, nullable=False),
        Column("period", Text, nullable=False),
        Column("money", Text, nullable=False),
        Column("period_key", Text, nullable=False),
        Column("held", Picodollars, nullable=False),
        Column("settled", Picodollars, nullable=False),
        PrimaryKeyConstraint("scope", "period", "money", "period_key", name="pk_balances"),
    )


def _keys(tables: MetaData) -> None:
    Table(
        "idempotency_keys",
        tables,
        Column("owner", Text, nullable=False),
        Column("key", Text, nullable=False),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("run", Text, nullable=False),
        PrimaryKeyConstraint("owner", "key", name="pk_idempotency_keys"),
    )
    Table(
        "cached_answers",
        tables,
        Column("owner", Text, nullable=False),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("run", Text, nullable=False),
        Column("attempt", Integer, nullable=False),
        Column("expires_at", Long, nullable=False),
        PrimaryKeyConstraint("owner", "fingerprint", name="pk_cached_answers"),
    )


def _datasets(tables: MetaData) -> None:
    Table(
        "datasets",
        tables,
        Column("name", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("imported_at", Long, nullable=False),
        Column("source", Text),
        Column("licence", Text),
        Column("summary", Text, nullable=False),
        PrimaryKeyConstraint("name", name="pk_datasets"),
    )
    Table(
        "dataset_rows",
        tables,
        Column("dataset", Text, nullable=False),
        Column("number", Long, nullable=False),
        Column("prompt", LargeBinary),
        Column("body", Text, nullable=False),
        PrimaryKeyConstraint("dataset", "number", name="pk_dataset_rows"),
        Index("ix_dataset_rows_prompt", "dataset", "prompt"),
    )


def _leases(tables: MetaData) -> None:
    Table(
        "leases",
        tables,
        Column("run", Text, nullable=False),
        Column("worker", Text, nullable=False),
        Column("epoch", Long, nullable=False),
        Column("expires_at", Long, nullable=False),
        PrimaryKeyConstraint("run", name="pk_leases"),
        schema="views",
    )


def _limits(tables: MetaData) -> None:
    moments = ("life", "asked", "granted", "latest", "latest_before")
    buckets = (f"{bucket}_{name}" for bucket in ("requests", "tokens") for name in ("full_at", "before", "total"))
    Table(
        "rate_limits",
        tables,
        Column("model", Text, nullable=False),
        *(Column(name, Long, nullable=False) for name in (*moments, *buckets)),
        PrimaryKeyConstraint("model", name="pk_rate_limits"),
        schema="views",
    )
    Table(
        "rate_limit_places",
        tables,
        Column("model", Text, nullable=False),
        *(Column(name, Long, nullable=False) for name in ("start", "tokens", "life", "requests_mark", "tokens_mark")),
        PrimaryKeyConstraint("model", "requests_mark", name="pk_rate_limit_places"),
        schema="views",
    )
    Table(
        "breakers",
        tables,
        Column("name", Text, nullable=False),
        Column("failures", Integer, nullable=False),
        Column("failed_at", Long, nullable=False),
        Column("opened", Integer, nullable=False),
        Column("open_until", Long, nullable=False),
        Column("probe_until", Long, nullable=False),
        PrimaryKeyConstraint("name", name="pk_breakers"),
        schema="views",
    )
