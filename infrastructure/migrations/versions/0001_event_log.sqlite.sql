-- The log. Times are microseconds since 1970-01-01 UTC; money is picodollars.

CREATE TABLE events (
    position INTEGER NOT NULL,
    stream TEXT NOT NULL,
    version INTEGER NOT NULL,
    event_id BLOB NOT NULL,
    type TEXT NOT NULL,
    schema_version INTEGER NOT NULL,
    occurred_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    causation_id TEXT,
    correlation_id TEXT NOT NULL,
    actor TEXT NOT NULL,
    payload TEXT NOT NULL,
    event_hash BLOB NOT NULL,
    chain_hash BLOB NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (position),
    CONSTRAINT uq_events_stream_version UNIQUE (stream, version),
    CONSTRAINT uq_events_event_id UNIQUE (event_id)
) STRICT;

-- One row: where the log ends.
CREATE TABLE log_head (
    id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    chain_hash BLOB NOT NULL,
    CONSTRAINT pk_log_head PRIMARY KEY (id),
    CONSTRAINT ck_log_head_one_row CHECK (id = 1)
) STRICT;
INSERT INTO log_head VALUES (1, 0, 0, zeroblob(32));

-- `body` is bytes: an encrypted body is no text.
CREATE TABLE contents (
    ref TEXT NOT NULL,
    subject TEXT,
    salt BLOB NOT NULL,
    body BLOB NOT NULL,
    CONSTRAINT pk_contents PRIMARY KEY (ref)
) STRICT;

CREATE TABLE content_uses (
    ref TEXT NOT NULL,
    stream TEXT NOT NULL,
    CONSTRAINT pk_content_uses PRIMARY KEY (ref, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE budgets (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    "limit" INTEGER NOT NULL,
    CONSTRAINT pk_budgets PRIMARY KEY (scope, period)
) STRICT, WITHOUT ROWID;

CREATE TABLE balances (
    scope TEXT NOT NULL,
    period TEXT NOT NULL,
    money TEXT NOT NULL,
    period_key TEXT NOT NULL,
    held INTEGER NOT NULL,
    settled INTEGER NOT NULL,
    CONSTRAINT pk_balances PRIMARY KEY (scope, period, money, period_key)
) STRICT, WITHOUT ROWID;

-- Written with the events, and erased with the run: a fingerprint is an HMAC of a request.
CREATE TABLE idempotency_keys (
    owner TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    run TEXT NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (owner, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE cached_answers (
    owner TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    run TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    CONSTRAINT pk_cached_answers PRIMARY KEY (owner, fingerprint)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    CONSTRAINT pk_meta PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER events_refuse_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are immutable: UPDATE on events is refused');
END;

CREATE TRIGGER events_refuse_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are immutable: DELETE on events is refused');
END;

-- INSERT OR REPLACE deletes without firing the trigger above. So: new events, and at the end of the log only.
CREATE TRIGGER events_refuse_replacement BEFORE INSERT ON events
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM events)
    OR EXISTS (SELECT 1 FROM events WHERE event_id = NEW.event_id)
    OR EXISTS (SELECT 1 FROM events WHERE stream = NEW.stream AND version = NEW.version)
BEGIN
    SELECT RAISE(ABORT, 'events are immutable: the log grows at its end only');
END;
