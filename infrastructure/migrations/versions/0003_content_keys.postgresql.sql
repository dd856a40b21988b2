-- Keys of encrypted texts: a run's or a shared message's (owner), wrapped by a subject's (owner NULL), wrapped by the
-- outer key, which is never here. An encrypted body is ff 01, the key's id (16 bytes), nonce (12), ciphertext, tag (16).

CREATE TABLE log.content_keys (
    id bytea NOT NULL,
    owner text COLLATE "C",
    subject text COLLATE "C" NOT NULL,
    wrapped_by bytea NOT NULL,
    wrapped bytea NOT NULL,
    CONSTRAINT pk_content_keys PRIMARY KEY (id)
);
CREATE INDEX ix_content_keys_owner ON log.content_keys (owner);

-- As append_events_v1, and in the same transaction:
--   x_*     keys of encrypted texts, each with the append that brings it
--   erased  runs whose texts, keys and rows under fingerprints are destroyed; the batch is then one append
CREATE FUNCTION log.append_with_keys_v1(
    appends integer, streams text[],
    s_append integer[], s_stream integer[], s_expected bigint[], s_events integer[],
    e_id bytea[], e_type text[], e_schema integer[], e_occurred bigint[], e_causation text[], e_correlation text[],
    e_actor text[], e_payload text[], e_hash bytea[],
    c_append integer[], c_ref text[], c_stream text[], c_subject text[], c_salt bytea[], c_body bytea[],
    k_append integer[], k_owner text[], k_key text[], k_fingerprint bytea[], k_run text[],
    a_append integer[], a_owner text[], a_fingerprint bytea[], a_run text[], a_attempt integer[], a_expires bigint[],
    b_append integer[], b_kind text[], b_scope text[], b_period text[], b_money text[], b_at bigint[],
    b_held numeric[], b_spent numeric[],
    x_append integer[], x_id bytea[], x_owner text[], x_subject text[], x_wrapped_by bytea[], x_wrapped bytea[],
    erased text[],
    OUT status integer[], OUT first bigint[], OUT last bigint[], OUT at bigint[], OUT versions bigint[],
    OUT refused numeric[], OUT taken json
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT r.status, r.first, r.last, r.at, r.versions, r.refused, r.taken
        INTO STRICT status, first, last, at, versions, refused, taken
        FROM log.append_events_v1(
            appends, streams, s_append, s_stream, s_expected, s_events,
            e_id, e_type, e_schema, e_occurred, e_causation, e_correlation, e_actor, e_payload, e_hash,
            c_append, c_ref, c_stream, c_subject, c_salt, c_body, k_append, k_owner, k_key, k_fingerprint, k_run,
            a_append, a_owner, a_fingerprint, a_run, a_attempt, a_expires,
            b_append, b_kind, b_scope, b_period, b_money, b_at, b_held, b_spent) r;
    -- A shared message's key only where its text is the one encrypted with it.
    INSERT INTO log.content_keys (id, owner, subject, wrapped_by, wrapped)
        SELECT n.id, n.owner, n.subject, n.wrapped_by, n.wrapped
        FROM unnest(x_append, x_id, x_owner, x_subject, x_wrapped_by, x_wrapped)
            n(append, id, owner, subject, wrapped_by, wrapped)
        WHERE status[n.append] = 0 AND (n.owner IS NULL OR starts_with(n.owner, 'run-') OR EXISTS (
            SELECT 1 FROM log.contents c WHERE c.ref = n.owner AND substring(c.body FROM 3 FOR 16) = n.id))
        ON CONFLICT DO NOTHING;
    IF cardinality(erased) > 0 AND status[1] = 0 THEN
        PERFORM log.erase_contents_v1(erased);
    END IF;
END $$;

-- Called above only. A text that several runs share goes with the last of them.
CREATE FUNCTION log.erase_contents_v1(runs text[]) RETURNS void LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    refs CONSTANT text[] := ARRAY(
        SELECT DISTINCT mine.ref FROM log.content_uses mine WHERE mine.stream = ANY (runs) AND NOT EXISTS (
            SELECT 1 FROM log.content_uses other WHERE other.ref = mine.ref AND other.stream <> ALL (runs)));
BEGIN
    DELETE FROM log.contents WHERE ref = ANY (refs);
    DELETE FROM log.content_keys WHERE owner = ANY (refs) OR owner = ANY (runs);
    DELETE FROM log.content_uses WHERE stream = ANY (runs);
    DELETE FROM log.idempotency_keys WHERE run = ANY (runs);
    DELETE FROM log.cached_answers WHERE run = ANY (runs);
    DELETE FROM log.content_keys WHERE owner IS NULL AND id NOT IN (
        SELECT wrapped_by FROM log.content_keys WHERE owner IS NOT NULL);
END $$;

-- Another outer key: each subject's key that is still under `old_outer` gets its new wrapping; how many did.
CREATE FUNCTION log.rewrap_content_keys_v1(ids bytea[], old_outer bytea, new_outer bytea, wrappings bytea[])
    RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH done AS (
        UPDATE log.content_keys k SET wrapped_by = new_outer, wrapped = n.wrapped
        FROM unnest(ids, wrappings) n(id, wrapped)
        WHERE k.id = n.id AND k.owner IS NULL AND k.wrapped_by = old_outer RETURNING 1)
    SELECT count(*) FROM done
$$;
REVOKE ALL ON FUNCTION log.append_with_keys_v1 FROM PUBLIC;
REVOKE ALL ON FUNCTION log.erase_contents_v1 FROM PUBLIC;
REVOKE ALL ON FUNCTION log.rewrap_content_keys_v1 FROM PUBLIC;

-- A role that was granted what it needs before needs it once more: SELECT log.grant_application('orchestrator');
CREATE OR REPLACE FUNCTION log.grant_application(role regrole) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA log, views TO %s', role);
    EXECUTE format('GRANT CREATE ON SCHEMA views TO %s', role); -- the read models make their own tables
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA log TO %s', role);
    EXECUTE format('GRANT EXECUTE ON FUNCTION log.append_events_v1, log.append_with_keys_v1, '
        'log.rewrap_content_keys_v1 TO %s', role);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA views TO %s', role);
END $$;
