-- Rate limits and breakers. Unlogged: a commit does not wait for the disk, and after a crash of the server they start anew.

CREATE UNLOGGED TABLE views.rate_limits (
    model text COLLATE "C" NOT NULL,
    life bigint NOT NULL,
    asked bigint NOT NULL,
    granted bigint NOT NULL,
    latest bigint NOT NULL,
    latest_before bigint NOT NULL,
    requests_full_at bigint NOT NULL,
    requests_before bigint NOT NULL,
    requests_total bigint NOT NULL,
    tokens_full_at bigint NOT NULL,
    tokens_before bigint NOT NULL,
    tokens_total bigint NOT NULL,
    CONSTRAINT pk_rate_limits PRIMARY KEY (model)
) WITH (fillfactor = 10);

-- Places in the queue that were given back and still lie ahead.
CREATE UNLOGGED TABLE views.rate_limit_places (
    model text COLLATE "C" NOT NULL,
    start bigint NOT NULL,
    tokens bigint NOT NULL,
    life bigint NOT NULL,
    requests_mark bigint NOT NULL,
    tokens_mark bigint NOT NULL,
    CONSTRAINT pk_rate_limit_places PRIMARY KEY (model, requests_mark)
);

CREATE UNLOGGED TABLE views.breakers (
    name text COLLATE "C" NOT NULL,
    failures integer NOT NULL,
    failed_at bigint NOT NULL,
    opened integer NOT NULL,
    open_until bigint NOT NULL,
    probe_until bigint NOT NULL,
    CONSTRAINT pk_breakers PRIMARY KEY (name)
) WITH (fillfactor = 50);
