-- Data sets of recorded outcomes: no events, and no part of any hash, total or report. A row's body is the JSON object
-- of its line, as ASCII; `prompt` is the SHA-256 of its prompt.

CREATE TABLE datasets (
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    imported_at INTEGER NOT NULL,
    source TEXT,
    licence TEXT,
    summary TEXT NOT NULL,
    CONSTRAINT pk_datasets PRIMARY KEY (name)
) STRICT;

CREATE TABLE dataset_rows (
    dataset TEXT NOT NULL,
    number INTEGER NOT NULL,
    prompt BLOB,
    body TEXT NOT NULL,
    CONSTRAINT pk_dataset_rows PRIMARY KEY (dataset, number)
) STRICT;
CREATE INDEX ix_dataset_rows_prompt ON dataset_rows (dataset, prompt);
