-- Records a batch of appends in one transaction. Parallel arrays, each list in the order of the appends:
--   streams  the distinct streams of the batch
--   s_*      stream appends: the append it belongs to (from 1), its stream (index in `streams`), the version expected
--            (-1 any, -2 none, -3 exists, -4 less the position the log must end at), how many events it adds
--   e_*      events, in the order of s_*
--   c_*      contents
--   k_*      idempotency keys to claim
--   a_*      answers to cache, a later one over an earlier one
--   b_*      balance changes: kind (hold, settle, limit); held: the amount held, taken out of hold, or the limit
-- A failed check is the answer to its own append; later appends see what earlier ones of the batch did:
--   status   0 appended, 1 version conflict, 2 hold refused, 3 recorded before (the first result), 4 event id reused,
--            5 key taken
--   first    the first position; for 1 the index in s_*; for 2 the index in b_*
--   last     the last position; for 1 the version found; for 5 whether the fingerprints agree, 1 or 0
--   at       recorded_at
--   versions of each stream append
--   refused  limit, held and settled, one triple a refused hold
--   taken    the run that has it, one a taken key
CREATE OR REPLACE FUNCTION log.append_events_v1(
    appends integer, streams text[],
    s_append integer[], s_stream integer[], s_expected bigint[], s_events integer[],
    e_id bytea[], e_type text[], e_schema integer[], e_occurred bigint[], e_causation text[], e_correlation text[],
    e_actor text[], e_payload text[], e_hash bytea[],
    c_append integer[] DEFAULT '{}', c_ref text[] DEFAULT '{}', c_stream text[] DEFAULT '{}',
    c_subject text[] DEFAULT '{}', c_salt bytea[] DEFAULT '{}', c_body bytea[] DEFAULT '{}',
    k_append integer[] DEFAULT '{}', k_owner text[] DEFAULT '{}', k_key text[] DEFAULT '{}',
    k_fingerprint bytea[] DEFAULT '{}', k_run text[] DEFAULT '{}',
    a_append integer[] DEFAULT '{}', a_owner text[] DEFAULT '{}', a_fingerprint bytea[] DEFAULT '{}',
    a_run text[] DEFAULT '{}', a_attempt integer[] DEFAULT '{}', a_expires bigint[] DEFAULT '{}',
    b_append integer[] DEFAULT '{}', b_kind text[] DEFAULT '{}', b_scope text[] DEFAULT '{}',
    b_period text[] DEFAULT '{}', b_money text[] DEFAULT '{}', b_at bigint[] DEFAULT '{}',
    b_held numeric[] DEFAULT '{}', b_spent numeric[] DEFAULT '{}',
    OUT status integer[], OUT first bigint[], OUT last bigint[], OUT at bigint[], OUT versions bigint[],
    OUT refused numeric[], OUT taken json
) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    tag CONSTANT bytea := convert_to('model-orchestrator/chain/1', 'UTF8') || '\x00'::bytea;
    n_s CONSTANT integer := cardinality(s_append);
    n_e CONSTANT integer := cardinality(e_id);
    n_k CONSTANT integer := cardinality(k_append);
    n_b CONSTANT integer := cardinality(b_append);
    start bigint; head bigint; clock bigint; chain bytea;              -- the log's end
    current bigint[];                                                  -- the version of each of `streams`
    known boolean;                                                     -- some event id is in the log already
    n_stream text[]; n_position bigint[]; n_version bigint[]; n_chain bytea[];  -- of each event; NULL: not appended
    -- Of each claim the index of its key in these arrays, and who has that key:
    place integer[]; holder text[]; holder_fingerprint bytea[]; holders text[];
    -- Of each change the index of its balance (account) and of its limit (budget) in these arrays:
    account integer[]; b_key text[]; held numeric[]; settled numeric[]; changes integer[];
    budget integer[]; ceiling numeric[]; was numeric[]; limits integer[];
    s integer; s_next integer := 1; e integer; e_next integer := 1; b integer; b_next integer := 1;
    claim integer; claim_next integer := 1;
    j integer; k integer; m integer; v bigint; x bigint; hits bigint; same bigint; lowest bigint; highest bigint;
    spread bigint;
BEGIN
    -- 1. The head. The advisory lock queues the writers; the row lock refuses a snapshot older than the head.
    PERFORM pg_advisory_xact_lock(7230185001);
    SELECT h.position, h.recorded_at, h.chain_hash,
           EXISTS (SELECT FROM log.events o WHERE o.event_id = ANY (e_id)),
           ARRAY(SELECT coalesce((SELECT max(o.version) FROM log.events o WHERE o.stream = u.name), 0)
                 FROM unnest(streams) WITH ORDINALITY u(name, i) ORDER BY u.i)
        INTO STRICT start, clock, chain, known, current
        FROM log.log_head h WHERE h.id = 1 FOR UPDATE;
    head := start;
    clock := greatest(clock, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    IF n_k > 0 THEN
        SELECT array_agg(w.place ORDER BY w.i), array_agg(o.run ORDER BY w.i), array_agg(o.fingerprint ORDER BY w.i)
            INTO place, holder, holder_fingerprint
            FROM (SELECT u.*, min(u.i) OVER (PARTITION BY u.owner, u.key) AS place
                  FROM unnest(k_owner, k_key) WITH ORDINALITY u(owner, key, i)) w
            LEFT JOIN log.idempotency_keys o ON o.owner = w.owner AND o.key = w.key;
    END IF;
    IF n_b > 0 THEN
        SELECT array_agg(w.account ORDER BY w.i), array_agg(coalesce(o.held, 0) ORDER BY w.i),
               array_agg(coalesce(o.settled, 0) ORDER BY w.i), array_agg(0 ORDER BY w.i),
               array_agg(w.budget ORDER BY w.i), array_agg(l."limit" ORDER BY w.i), array_agg(w.key ORDER BY w.i)
            INTO account, held, settled, changes, budget, ceiling, b_key
            FROM (SELECT c.*, min(c.i) OVER (PARTITION BY c.scope, c.period, c.money, c.key) AS account,
                         min(c.i) OVER (PARTITION BY c.scope, c.period) AS budget
                  FROM (SELECT u.*, log.period_key(u.period, coalesce(u.at, clock)) AS key
                        FROM unnest(b_scope, b_period, b_money, b_at) WITH ORDINALITY u(scope, period, money, at, i)
                       ) c) w
            LEFT JOIN log.balances o ON o.scope = w.scope AND o.period = w.period AND o.money = w.money
                AND o.period_key = w.key
            LEFT JOIN log.budgets l ON l.scope = w.scope AND l.period = w.period;
        limits := changes;
        was := ceiling;
    END IF;
    status := array_fill(0, ARRAY[appends]);
    first := array_fill(0::bigint, ARRAY[appends]);
    last := first;
    at := array_fill(clock, ARRAY[appends]);
    versions := array_fill(0::bigint, ARRAY[n_s]);
    n_position := array_fill(NULL::bigint, ARRAY[n_e]);
    n_version := n_position;
    n_chain := array_fill(NULL::bytea, ARRAY[n_e]);
    n_stream := array_fill(NULL::text, ARRAY[n_e]);

    <<append>>
    FOR a IN 1..appends LOOP
        s := s_next; e := e_next; b := b_next; claim := NULL;
        WHILE s_next <= n_s AND s_append[s_next] = a LOOP
            e_next := e_next + s_events[s_next];
            s_next := s_next + 1;
        END LOOP;
        WHILE b_next <= n_b AND b_append[b_next] = a LOOP b_next := b_next + 1; END LOOP;
        IF claim_next <= n_k AND k_append[claim_next] = a THEN
            claim := claim_next;
            claim_next := claim_next + 1;
        END IF;

        -- 2. Duplicates.
        IF known THEN
            SELECT count(*), count(*) FILTER (WHERE o.event_hash = n.hash), min(o.position), max(o.position),
                   max(o.position - n.i) - min(o.position - n.i), min(o.recorded_at)
                INTO hits, same, lowest, highest, spread, x
                FROM unnest(e_id[e:e_next - 1], e_hash[e:e_next - 1]) WITH ORDINALITY n(id, hash, i)
                JOIN log.events o ON o.event_id = n.id;
            IF hits > 0 THEN
                IF hits <> e_next - e OR same <> hits OR spread <> 0 THEN
                    status[a] := 4;
                    CONTINUE append;
                END IF;
                status[a] := 3; first[a] := lowest; last[a] := highest; at[a] := x;
                FOR j IN s..s_next - 1 LOOP
                    SELECT max(o.version) INTO v FROM log.events o
                        WHERE o.stream = streams[s_stream[j]] AND o.position <= highest;
                    versions[j] := coalesce(v, 0);
                END LOOP;
                CONTINUE append;
            END IF;
        END IF;

        -- 3. The idempotency key.
        m := place[claim];
        IF holder[m] IS NOT NULL THEN
            status[a] := 5;
            last[a] := (holder_fingerprint[m] = k_fingerprint[claim])::integer;
            holders := holders || holder[m];
            CONTINUE append;
        END IF;

        -- 4. Expected versions.
        FOR j IN s..s_next - 1 LOOP
            x := s_expected[j];
            v := current[s_stream[j]];
            IF NOT (x = v OR x = -1 OR (x = -2 AND v = 0) OR (x = -3 AND v > 0) OR x = -4 - head) THEN
                status[a] := 1; first[a] := j; last[a] := v;
                CONTINUE append;
            END IF;
        END LOOP;

        -- 5. Balances, in memory: each change in turn; a refused hold takes back those before it.
        FOR j IN b..b_next - 1 LOOP
            m := account[j]; k := budget[j];
            IF b_kind[j] = 'hold' AND held[m] + settled[m] + b_held[j] > ceiling[k] THEN
                status[a] := 2; first[a] := j;
                refused := refused || ARRAY[ceiling[k], held[m], settled[m]];
                FOR i IN REVERSE j - 1..b LOOP
                    m := account[i]; k := budget[i];
                    CASE b_kind[i]
                        WHEN 'hold' THEN held[m] := held[m] - b_held[i]; changes[m] := changes[m] - 1;
                        WHEN 'settle' THEN
                            held[m] := held[m] + b_held[i]; settled[m] := settled[m] - b_spent[i];
                            changes[m] := changes[m] - 1;
                        ELSE ceiling[k] := was[i]; limits[k] := limits[k] - 1;
                    END CASE;
                END LOOP;
                CONTINUE append;
            END IF;
            CASE b_kind[j]
                WHEN 'hold' THEN held[m] := held[m] + b_held[j]; changes[m] := changes[m] + 1;
                WHEN 'settle' THEN
                    held[m] := held[m] - b_held[j]; settled[m] := settled[m] + b_spent[j];
                    changes[m] := changes[m] + 1;
                ELSE was[j] := ceiling[k]; ceiling[k] := b_held[j]; limits[k] := limits[k] + 1;
            END CASE;
        END LOOP;

        -- 6. The key's holder; positions, versions and the chain.
        IF claim IS NOT NULL THEN
            holder[place[claim]] := k_run[claim];
            holder_fingerprint[place[claim]] := k_fingerprint[claim];
        END IF;
        first[a] := head + 1;
        FOR j IN s..s_next - 1 LOOP
            k := s_stream[j];
            v := current[k];
            FOR i IN e..e + s_events[j] - 1 LOOP
                head := head + 1;
                v := v + 1;
                chain := sha256(tag || chain || int8send(head) || int8send(v) || int8send(clock) || e_hash[i]);
                n_stream[i] := streams[k]; n_position[i] := head; n_version[i] := v; n_chain[i] := chain;
            END LOOP;
            e := e + s_events[j];
            current[k] := v;
            versions[j] := v;
        END LOOP;
        last[a] := head;
    END LOOP;

    taken := to_json(holders);

    -- 7. Write: balance rows sorted, then keys, cached answers, contents, events and the head.
    IF n_b > 0 THEN
        INSERT INTO log.balances (scope, period, money, period_key, held, settled)
            SELECT n.scope, n.period, n.money, n.key, n.held, n.settled
            FROM unnest(b_scope, b_period, b_money, b_key, held, settled, changes)
                n(scope, period, money, key, held, settled, changes)
            WHERE n.changes > 0 ORDER BY 1, 2, 3, 4
            ON CONFLICT ON CONSTRAINT pk_balances DO UPDATE SET held = excluded.held, settled = excluded.settled;
    END IF;
    IF 'limit' = ANY (b_kind) THEN
        DELETE FROM log.budgets o USING unnest(b_scope, b_period, ceiling, limits) n(scope, period, ceiling, limits)
            WHERE n.limits > 0 AND n.ceiling IS NULL AND o.scope = n.scope AND o.period = n.period;
        INSERT INTO log.budgets (scope, period, "limit")
            SELECT n.scope, n.period, n.ceiling
            FROM unnest(b_scope, b_period, ceiling, limits) n(scope, period, ceiling, limits)
            WHERE n.limits > 0 AND n.ceiling IS NOT NULL ORDER BY 1, 2
            ON CONFLICT ON CONSTRAINT pk_budgets DO UPDATE SET "limit" = excluded."limit";
    END IF;
    IF n_k > 0 THEN
        INSERT INTO log.idempotency_keys (owner, key, fingerprint, run)
            SELECT n.owner, n.key, n.fingerprint, n.run
            FROM unnest(k_append, k_owner, k_key, k_fingerprint, k_run) n(append, owner, key, fingerprint, run)
            WHERE status[n.append] = 0;
    END IF;
    IF cardinality(a_append) > 0 THEN
        INSERT INTO log.cached_answers (owner, fingerprint, run, attempt, expires_at)
            SELECT DISTINCT ON (n.owner, n.fingerprint) n.owner, n.fingerprint, n.run, n.attempt, n.expires_at
            FROM unnest(a_append, a_owner, a_fingerprint, a_run, a_attempt, a_expires)
                n(append, owner, fingerprint, run, attempt, expires_at)
            WHERE status[n.append] = 0 ORDER BY n.owner, n.fingerprint, n.append DESC
            ON CONFLICT ON CONSTRAINT pk_cached_answers DO UPDATE
                SET run = excluded.run, attempt = excluded.attempt, expires_at = excluded.expires_at;
    END IF;
    IF cardinality(c_ref) > 0 THEN
        INSERT INTO log.contents (ref, subject, salt, body)
            SELECT c_ref[i], c_subject[i], c_salt[i], c_body[i] FROM unnest(c_append) WITH ORDINALITY n(append, i)
            WHERE status[n.append] = 0 ON CONFLICT DO NOTHING;
        INSERT INTO log.content_uses (ref, stream)
            SELECT c_ref[i], c_stream[i] FROM unnest(c_append) WITH ORDINALITY n(append, i)
            WHERE status[n.append] = 0 ON CONFLICT DO NOTHING;
    END IF;
    IF head > start THEN
        INSERT INTO log.events
            SELECT n.position, n_stream[i], n_version[i], e_id[i], e_type[i], e_schema[i], e_occurred[i], clock,
                   e_causation[i], e_correlation[i], e_actor[i], e_payload[i], e_hash[i], n_chain[i]
            FROM unnest(n_position) WITH ORDINALITY n(position, i)
            WHERE n.position IS NOT NULL;
        UPDATE log.log_head SET position = head, recorded_at = clock, chain_hash = chain WHERE id = 1;
        PERFORM pg_notify('model_orchestrator', '');
    END IF;
END $$;
