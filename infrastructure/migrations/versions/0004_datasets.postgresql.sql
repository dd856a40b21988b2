-- Data sets of recorded outcomes: no events, and no part of any hash, total or report. A row's body is the JSON object
-- of its line, as ASCII; `prompt` is the SHA-256 of its prompt.

CREATE TABLE log.datasets (
    name text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    imported_at bigint NOT NULL,
    source text,
    licence text,
    summary text NOT NULL,
    CONSTRAINT pk_datasets PRIMARY KEY (name)
);

CREATE TABLE log.dataset_rows (
    dataset text COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    prompt bytea,
    body text NOT NULL,
    CONSTRAINT pk_dataset_rows PRIMARY KEY (dataset, number)
);
CREATE INDEX ix_dataset_rows_prompt ON log.dataset_rows (dataset, prompt);

-- A role that was granted what it needs before needs it once more: SELECT log.grant_application('orchestrator');
CREATE OR REPLACE FUNCTION log.grant_application(role regrole) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA log, views TO %s', role);
    EXECUTE format('GRANT CREATE ON SCHEMA views TO %s', role); -- the read models make their own tables
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA log TO %s', role);
    EXECUTE format('GRANT INSERT, DELETE ON log.datasets, log.dataset_rows TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION log.append_events_v1, log.append_with_keys_v1, '
        'log.rewrap_content_keys_v1 TO %s', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA views TO %s', role);
END $$;
