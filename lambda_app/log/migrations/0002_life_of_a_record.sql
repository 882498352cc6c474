-- The life of a record after its answer: partitions, export, holds, erasure. The function maintain works on them.

ALTER TABLE predictions ADD COLUMN subject text
CONSTRAINT predictions_subject CHECK (length(subject) BETWEEN 1 AND 128);
COMMENT ON COLUMN predictions.subject IS 'The caller''s pseudonymous reference to the person or thing of the case';
CREATE INDEX predictions_subject ON predictions (subject) WHERE subject IS NOT NULL;
-- Finds the rows of a day, for the export. Rows are written in the order of these times, so a small index does.
CREATE INDEX predictions_times ON predictions USING brin (created_at, recorded_at) WITH (autosummarize = on);
-- For keys that expire, and for those of an erased record.
CREATE INDEX idempotency_keys_created_at ON idempotency_keys USING brin (created_at);
CREATE INDEX idempotency_keys_request_id ON idempotency_keys (request_id);

-- A caller's own record. A function keeps its plan in the session; planning for many partitions takes milliseconds.
CREATE FUNCTION find_prediction(of_request uuid, of_caller text) RETURNS SETOF predictions
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM predictions WHERE request_id = of_request AND caller IS NOT DISTINCT FROM of_caller;
END
$$;

-- Records that a lawyer or an audit needs. Expiry and erasure pass over them. A removed hold stays, as evidence.
CREATE TABLE holds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text,
    caller text,
    starts timestamptz,
    ends timestamptz,
    reason text NOT NULL,
    placed_by text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now(),
    removed_by text,
    removed_at timestamptz,
    CONSTRAINT holds_scope CHECK (num_nonnulls(subject, caller, starts) = 1),
    CONSTRAINT holds_period CHECK (num_nulls(starts, ends) = 2 OR (num_nulls(starts, ends) = 0 AND starts < ends))
);

CREATE FUNCTION is_held(of_subject text, of_caller text, at timestamptz) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM holds
        WHERE removed_at IS NULL AND (subject = of_subject OR caller = of_caller OR (starts <= at AND at < ends))
    );
END;

-- Each erasure. It names its subject or request only until it is complete.
CREATE TABLE erasures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject text UNIQUE,
    request_id uuid UNIQUE,
    reason text NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    -- The exported file whose rows were counted last; the files before it need no second search.
    searched_file text,
    -- A hold keeps a row of the files that were searched so far.
    is_held boolean NOT NULL DEFAULT false,
    -- The end of the last whole search. What it left is under a hold.
    searched_at timestamptz,
    predictions bigint NOT NULL DEFAULT 0,
    idempotency_keys bigint NOT NULL DEFAULT 0,
    messages bigint NOT NULL DEFAULT 0,
    exported_rows bigint NOT NULL DEFAULT 0,
    CONSTRAINT erasures_scope CHECK (
        num_nonnulls(subject, request_id) = CASE WHEN completed_at IS NULL THEN 1 ELSE 0 END
    )
);

-- Keeps an erased record from being stored again: of a request id for ever, of a subject for records made until then.
CREATE TABLE tombstones (
    -- SHA-256 of the request id or the subject.
    digest bytea PRIMARY KEY,
    erased_at timestamptz NOT NULL
);

CREATE FUNCTION digest_request(id uuid) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT
RETURN sha256(convert_to('request:' || id, 'UTF8'));

CREATE FUNCTION digest_subject(subject text) RETURNS bytea LANGUAGE sql IMMUTABLE STRICT
RETURN sha256(convert_to('subject:' || subject, 'UTF8'));

CREATE FUNCTION is_erased(request_id uuid, batch_id uuid, subject text, caller text, created_at timestamptz)
RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM tombstones
        WHERE digest = digest_request(is_erased.request_id)
            OR digest = digest_request(is_erased.batch_id)
            OR (digest = digest_subject(is_erased.subject) AND is_erased.created_at <= erased_at)
    ) AND NOT is_held(is_erased.subject, is_erased.caller, is_erased.created_at);
END;

-- Opens an erasure, or finds the open one, and buries its subject or request. Null if writers did not end soon.
--
-- No snapshot tells that all writers who did not see the tombstone have ended: one that has asked is_erased and not
-- written yet has no transaction id. But it holds the lock of its INSERT. So this waits for those locks, and who comes
-- later sees the tombstone. Meanwhile they wait too, so it gives up soon.
CREATE FUNCTION open_erasure(of_subject text, of_request_id uuid, why text, who text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET lock_timeout = '500ms'
AS $$
DECLARE
    found bigint;
BEGIN
    INSERT INTO erasures (subject, request_id, reason, requested_by) VALUES (of_subject, of_request_id, why, who)
    ON CONFLICT DO NOTHING;
    SELECT id INTO found FROM erasures WHERE subject = of_subject OR request_id = of_request_id;
    LOCK TABLE ONLY predictions IN SHARE MODE;
    INSERT INTO tombstones VALUES (coalesce(digest_subject(of_subject), digest_request(of_request_id)), now())
    ON CONFLICT (digest) DO UPDATE SET erased_at = EXCLUDED.erased_at;
    RETURN found;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END
$$;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION open_erasure SET search_path = %I, pg_temp', current_schema());
END
$$;

REVOKE ALL ON FUNCTION open_erasure FROM PUBLIC;

CREATE OR REPLACE FUNCTION keep_first_prediction() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    earliest timestamptz := NEW.created_at - interval '1 day';
    latest timestamptz := NEW.created_at + interval '1 day';
BEGIN
    -- Whoever writes the same request waits for the other's commit, and then sees it.
    PERFORM pg_advisory_xact_lock(hashtextextended(coalesce(NEW.batch_id, NEW.request_id)::text, 4420));
    IF EXISTS (
        SELECT FROM predictions
        WHERE request_id = NEW.request_id AND created_at BETWEEN earliest AND latest
    ) OR is_erased(NEW.request_id, NEW.batch_id, NEW.subject, NEW.caller, NEW.created_at) THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

-- As before, but an erased record is not missing.
CREATE OR REPLACE FUNCTION unstored_predictions(records json) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET extra_float_digits = 1
BEGIN ATOMIC
    SELECT record.place - 1
    FROM json_array_elements(records) WITH ORDINALITY AS record (content, place)
    CROSS JOIN LATERAL json_populate_record(NULL::predictions, record.content) AS given
    LEFT JOIN LATERAL (
        SELECT to_jsonb(predictions) AS row
        FROM predictions
        WHERE request_id = given.request_id AND created_at = given.created_at
    ) AS stored ON true
    WHERE EXISTS (
        SELECT FROM json_object_keys(record.content) AS name
        WHERE stored.row -> name IS DISTINCT FROM to_jsonb(given) -> name
    ) AND NOT is_erased(given.request_id, given.batch_id, given.subject, given.caller, given.created_at)
    ORDER BY record.place;
END;

-- Makes the partition of each month that needs one: this month, the months `ahead` after it, and those of the rows in
-- predictions_default, which move into it. Returns their names.
CREATE FUNCTION add_partitions(ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    month timestamp;
    partition_name text;
    first_time text;
    next_time text;
BEGIN
    FOR month IN
        SELECT date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => n)
        FROM generate_series(0, ahead) AS n
        UNION
        SELECT date_trunc('month', created_at AT TIME ZONE 'UTC') FROM predictions_default
        ORDER BY 1
    LOOP
        partition_name := to_char(month, '"predictions_"YYYY_MM');
        first_time := to_char(month, 'YYYY-MM-DD"T00:00Z"');
        next_time := to_char(month + interval '1 month', 'YYYY-MM-DD"T00:00Z"');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE predictions INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition_name);
        EXECUTE format(
            'WITH moved AS (DELETE FROM predictions_default WHERE created_at >= %L AND created_at < %L RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved',
            first_time, next_time, partition_name
        );
        EXECUTE format(
            'ALTER TABLE predictions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            partition_name, first_time, next_time
        );
        RETURN NEXT partition_name;
    END LOOP;
END
$$;

-- Sums up the rows of a time that were recorded until another, to compare them with an export: their number, and the
-- XOR of each half of their ids.
CREATE FUNCTION summarise_predictions(
    first_time timestamptz, next_time timestamptz, recorded_until timestamptz, OUT row_count bigint, OUT ids bigint[]
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        count(*),
        ARRAY[
            coalesce(bit_xor(('x' || encode(substr(uuid_send(request_id), 1, 8), 'hex'))::bit(64)::bigint), 0),
            coalesce(bit_xor(('x' || encode(substr(uuid_send(request_id), 9, 8), 'hex'))::bit(64)::bigint), 0)
        ]
    FROM predictions
    WHERE created_at >= first_time AND created_at < next_time
        AND recorded_at <= summarise_predictions.recorded_until;
END;

-- Each day whose rows, recorded until then, were found to be those of its export.
CREATE TABLE verified_days (
    day date PRIMARY KEY,
    recorded_until timestamptz NOT NULL
);

-- Each month that was detached to be dropped. A late row may give it a partition again, so that it goes again.
CREATE TABLE dropped_months (
    month date NOT NULL,
    detached_at timestamptz NOT NULL DEFAULT now(),
    dropped_at timestamptz,
    PRIMARY KEY (month, detached_at)
);

-- Compares the rows of a day with its export, and notes that they are the same.
CREATE FUNCTION verify_day(
    of_day date, until timestamptz, exported_count bigint, exported_ids bigint[],
    OUT row_count bigint, OUT is_same boolean
)
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    first_time timestamptz := of_day::timestamp AT TIME ZONE 'UTC';
    ids bigint[];
BEGIN
    -- Rows recorded since then may not be committed yet.
    IF until > now() - interval '1 minute' THEN
        RAISE EXCEPTION 'rows recorded until % may not be committed yet', until;
    END IF;
    SELECT * INTO row_count, ids FROM summarise_predictions(first_time, first_time + interval '1 day', until);
    is_same := row_count = exported_count AND ids = exported_ids;
    IF is_same THEN
        INSERT INTO verified_days (day, recorded_until) VALUES (of_day, until)
        ON CONFLICT (day) DO UPDATE SET recorded_until = EXCLUDED.recorded_until;
    END IF;
END
$$;

-- The holds that keep rows of a time. A period counts even without a row.
CREATE FUNCTION find_holds(first_time timestamptz, next_time timestamptz) RETURNS SETOF bigint
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT id FROM holds
    WHERE removed_at IS NULL AND (
        (starts < next_time AND ends > first_time)
        OR EXISTS (
            SELECT FROM predictions
            WHERE created_at >= first_time AND created_at < next_time AND predictions.subject = holds.subject
        )
        OR EXISTS (
            SELECT FROM predictions
            WHERE created_at >= first_time AND created_at < next_time AND predictions.caller = holds.caller
        )
    )
    ORDER BY id;
END;

-- Detaches the partition of a month that is over, if its days are verified with all of its rows and no hold keeps one.
CREATE FUNCTION detach_month(of_month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    partition_name text := to_char(of_month, '"predictions_"YYYY_MM');
    first_day date := date_trunc('month', of_month::timestamp);
    next_day date := first_day + interval '1 month';
    first_time timestamptz := first_day::timestamp AT TIME ZONE 'UTC';
    next_time timestamptz := next_day::timestamp AT TIME ZONE 'UTC';
    verified_until timestamptz;
BEGIN
    IF next_time > now() THEN
        RAISE EXCEPTION '% is not over', partition_name;
    END IF;
    -- A late row waits for the end of this, and then finds no partition of its month.
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', partition_name);
    SELECT CASE WHEN count(*) = next_day - first_day THEN min(recorded_until) END INTO verified_until
    FROM verified_days WHERE day >= first_day AND day < next_day;
    IF verified_until IS NULL OR EXISTS (
        SELECT FROM predictions
        JOIN verified_days ON day = (created_at AT TIME ZONE 'UTC')::date
        WHERE created_at >= first_time AND created_at < next_time
            -- The first condition is for the index.
            AND recorded_at > verified_until AND recorded_at > verified_days.recorded_until
    ) THEN
        RAISE EXCEPTION '% has rows that are not verified', partition_name;
    END IF;
    IF EXISTS (SELECT FROM find_holds(first_time, next_time)) THEN
        RAISE EXCEPTION '% has rows under a hold', partition_name;
    END IF;
    EXECUTE format('ALTER TABLE predictions DETACH PARTITION %I', partition_name);
    INSERT INTO dropped_months (month) VALUES (first_day);
END
$$;

-- Drops the partitions that detach_month has detached. Returns their names.
CREATE FUNCTION drop_detached() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    partition_name text;
BEGIN
    FOR partition_name IN
        UPDATE dropped_months SET dropped_at = now() WHERE dropped_at IS NULL
        RETURNING to_char(month, '"predictions_"YYYY_MM')
    LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
        RETURN NEXT partition_name;
    END LOOP;
END
$$;

-- Each run of the export that came to its end: it has read the rows that were recorded until then.
CREATE TABLE exports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_until timestamptz NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    days integer NOT NULL,
    exported_rows bigint NOT NULL
);

-- Who works on the records alone, and until when at most.
CREATE TABLE lease (
    holder uuid,
    ends_at timestamptz NOT NULL
);
INSERT INTO lease (ends_at) VALUES ('-infinity');

DO $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN', :'maintain');
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
DECLARE
    name text;
    setting text;
BEGIN
    -- With its owner's rights a function shall find these tables, and no temporary ones of the caller's.
    FOREACH name IN ARRAY ARRAY[
        'keep_first_prediction', 'add_partitions', 'verify_day', 'detach_month', 'drop_detached'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
    FOREACH name IN ARRAY ARRAY['add_partitions', 'verify_day', 'detach_month', 'drop_detached'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', name);
    END LOOP;

    -- A statement may read a month of rows. Where a lock is not free soon, it is tried again later, so that no insert
    -- waits behind it.
    FOREACH setting IN ARRAY ARRAY[
        'statement_timeout = ''10min''',
        'lock_timeout = ''1s''',
        'idle_in_transaction_session_timeout = ''5min''',
        'client_encoding = ''UTF8''',
        'DateStyle = ''ISO''',
        'IntervalStyle = ''postgres''',
        'bytea_output = ''hex''',
        'TimeZone = ''UTC''',
        'extra_float_digits = ''1''',
        'synchronous_commit = ''on''',
        'default_transaction_isolation = ''read committed'''
    ] LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', :'maintain', current_database()) || setting;
    END LOOP;
END
$$;

-- GET /health tells whether it has rows.
GRANT SELECT ON predictions_default TO :"api";
GRANT SELECT, DELETE ON predictions, idempotency_keys TO :"maintain";
GRANT SELECT, INSERT, UPDATE ON holds, erasures TO :"maintain";
GRANT SELECT, INSERT ON tombstones, exports TO :"maintain";
GRANT SELECT ON predictions_default, verified_days, dropped_months TO :"maintain";
GRANT SELECT, UPDATE ON lease TO :"maintain";
GRANT EXECUTE ON FUNCTION open_erasure TO :"maintain";
GRANT EXECUTE ON FUNCTION add_partitions, verify_day, detach_month, drop_detached TO :"maintain";
