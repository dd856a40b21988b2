-- Keys of encrypted texts: a run's or a shared message's (owner), wrapped by a subject's (owner NULL), wrapped by the
-- outer key, which is never here. An encrypted body is ff 01, the key's id (16 bytes), nonce (12), ciphertext, tag (16).

CREATE TABLE content_keys (
    id BLOB NOT NULL,
    owner TEXT,
    subject TEXT NOT NULL,
    wrapped_by BLOB NOT NULL,
    wrapped BLOB NOT NULL,
    CONSTRAINT pk_content_keys PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX ix_content_keys_owner ON content_keys (owner);
