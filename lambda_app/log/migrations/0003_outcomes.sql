-- Outcomes: what really happened, reported after the answer. And the role of the function monitor, which compares.

CREATE TABLE outcomes (
    -- Made from request, value and time: the same report again is the same row.
    outcome_id uuid PRIMARY KEY,
    request_id uuid NOT NULL,
    value double precision NOT NULL,
    observed_at timestamptz NOT NULL,
    reported_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    predicted_at timestamptz,
    reporter text,
    reporter_session text
);

COMMENT ON TABLE outcomes IS
    'What really happened, and corrections: of several rows of a request, the one reported last counts';
COMMENT ON COLUMN outcomes.outcome_id IS
    'Made from request, value and time of observation: the same report again has the same';
COMMENT ON COLUMN outcomes.request_id IS 'The request_id of the prediction, which may be recorded later';
COMMENT ON COLUMN outcomes.value IS 'The true value, in the unit of prediction';
COMMENT ON COLUMN outcomes.observed_at IS 'When the value was observed, by the reporter';
COMMENT ON COLUMN outcomes.reported_at IS 'When the report arrived';
COMMENT ON COLUMN outcomes.recorded_at IS 'When the row was written: later than reported_at if it waited in the queue';
COMMENT ON COLUMN outcomes.predicted_at IS 'created_at of the prediction; null until that is recorded';
COMMENT ON COLUMN outcomes.reporter IS 'As caller in predictions';
COMMENT ON COLUMN outcomes.reporter_session IS 'As caller_session in predictions';

CREATE INDEX outcomes_request_id ON outcomes (request_id);
-- For the monitor, which reads the newest outcomes of known predictions.
CREATE INDEX outcomes_observed_at ON outcomes (observed_at) WHERE predicted_at IS NOT NULL;
CREATE INDEX outcomes_predicted_at ON outcomes (predicted_at);
-- Finds the rows of a day, for the export, as predictions_times does.
CREATE INDEX outcomes_times ON outcomes USING brin (reported_at, recorded_at) WITH (autosummarize = on);
-- For the daily search for their predictions. Most outcomes have found theirs at once.
CREATE INDEX outcomes_unlinked ON outcomes (reported_at, outcome_id) WHERE predicted_at IS NULL;

-- Gives an outcome the time of its prediction, and drops the outcome of an erased prediction.
--
-- Whoever writes many outcomes gives that time, from find_prediction_times, or '-infinity' where there is none yet. With
-- it, PostgreSQL looks into one month. Without it, it looks into an index of every month for each row.
--
-- The lock on the prediction makes an erasure wait for this outcome, or this for the erasure. So one sees the other.
CREATE FUNCTION link_outcome() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
-- PostgreSQL would make a plan for each row, because one for a known month looks better than one for all.
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    given timestamptz := NEW.predicted_at;
BEGIN
    IF given IS NULL THEN
        SELECT created_at INTO NEW.predicted_at FROM predictions
        WHERE request_id = NEW.request_id ORDER BY created_at LIMIT 1 FOR KEY SHARE;
    ELSE
        SELECT created_at INTO NEW.predicted_at FROM predictions
        WHERE request_id = NEW.request_id AND created_at = given FOR KEY SHARE;
    END IF;
    -- A prediction that a hold keeps is in the table, although its tombstone may be there too.
    IF NEW.predicted_at IS NULL AND EXISTS (
        SELECT FROM tombstones LEFT JOIN erasures ON erasures.id = erasure_id
        WHERE digest = digest_request(NEW.request_id)
            AND (erasure_id = 0 OR completed_at IS NOT NULL OR NOT is_held(NULL, NULL, NEW.reported_at))
    ) THEN
        -- Its erasure is complete, or no hold of a period keeps it.
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER outcomes_link BEFORE INSERT ON outcomes FOR EACH ROW EXECUTE FUNCTION link_outcome();

-- When the predictions of these requests were made, without those that are not recorded. By this api refuses outcomes
-- that are older than their prediction, whoever's it is, and api and replay tell link_outcome where to look.
CREATE FUNCTION find_prediction_times(of_requests uuid[], OUT request_id uuid, OUT created_at timestamptz)
RETURNS SETOF record
LANGUAGE plpgsql STABLE SECURITY DEFINER
AS $$
BEGIN
    RETURN QUERY
    SELECT p.request_id, min(p.created_at) FROM predictions AS p WHERE p.request_id = ANY(of_requests)
    GROUP BY p.request_id;
END
$$;

REVOKE ALL ON FUNCTION find_prediction_times FROM PUBLIC;

-- By this replay learns whether an outcome is stored, without a right to read: the places, from 0, of those that are
-- neither in the table nor erased.
CREATE FUNCTION unstored_outcomes(records json) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
    SELECT record.place - 1
    FROM json_array_elements(records) WITH ORDINALITY AS record (content, place)
    CROSS JOIN LATERAL json_populate_record(NULL::outcomes, record.content) AS given
    WHERE NOT EXISTS (SELECT FROM outcomes WHERE outcome_id = given.outcome_id)
        AND NOT EXISTS (SELECT FROM tombstones WHERE digest = digest_request(given.request_id))
    ORDER BY record.place;
END;

REVOKE ALL ON FUNCTION unstored_outcomes FROM PUBLIC;

-- Which erasure has erased a request; 0 if that one is complete. By this it finds the outcomes of the predictions that
-- it has erased. Null while the erasure of the request is open and may still find a hold.
ALTER TABLE tombstones ADD COLUMN erasure_id bigint;
ALTER TABLE erasures ADD COLUMN outcomes bigint NOT NULL DEFAULT 0;

-- Of the complete erasures of before. Subjects get it too, where it says nothing.
UPDATE tombstones SET erasure_id = 0
WHERE NOT EXISTS (SELECT FROM erasures WHERE digest = digest_request(erasures.request_id));

-- As before, but a hold brings no request back that was erased before it.
CREATE OR REPLACE FUNCTION is_erased(
    request_id uuid, batch_id uuid, subject text, caller text, created_at timestamptz
)
RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT EXISTS (
        SELECT FROM tombstones
        WHERE digest IN (digest_request(is_erased.request_id), digest_request(is_erased.batch_id))
            AND (erasure_id IS NOT NULL OR NOT is_held(is_erased.subject, is_erased.caller, is_erased.created_at))
    ) OR EXISTS (
        SELECT FROM tombstones
        WHERE digest = digest_subject(is_erased.subject) AND is_erased.created_at <= erased_at
            AND NOT is_held(is_erased.subject, is_erased.caller, is_erased.created_at)
    );
END;

-- As before, but an erased record that comes is buried by its own id too, so that its outcomes go with the others.
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
    ) THEN
        RETURN NULL;
    END IF;
    IF is_erased(NEW.request_id, NEW.batch_id, NEW.subject, NEW.caller, NEW.created_at) THEN
        INSERT INTO tombstones AS known
        SELECT
            digest_request(NEW.request_id), now(),
            coalesce(
                (
                    SELECT min(id) FROM erasures
                    WHERE subject = NEW.subject OR request_id IN (NEW.request_id, NEW.batch_id)
                ),
                0
            )
        ON CONFLICT (digest) DO UPDATE SET erasure_id = EXCLUDED.erasure_id WHERE known.erasure_id IS NULL;
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;

-- Waits until all have ended who write outcomes and did not see the tombstones that are there now; who comes later sees
-- them. False if they did not end soon: meanwhile others wait. It waits for longer than deadlock_timeout, after which an
-- autovacuum gives way.
CREATE FUNCTION wait_for_outcomes() RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET lock_timeout = '1500ms'
AS $$
BEGIN
    LOCK TABLE outcomes IN SHARE MODE;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END
$$;

-- Each run of the export is about one table.
ALTER TABLE exports ADD COLUMN table_name text NOT NULL DEFAULT 'predictions';

-- As verified_days, by the day of reported_at. The rows that were recorded until expired_until are deleted since
-- expired_at, but for those that a hold keeps.
CREATE TABLE verified_outcome_days (
    day date PRIMARY KEY,
    recorded_until timestamptz NOT NULL,
    has_export boolean NOT NULL,
    expired_until timestamptz NOT NULL DEFAULT '-infinity',
    expired_at timestamptz
);

-- As summarise_predictions.
CREATE FUNCTION summarise_outcomes(
    first_time timestamptz, next_time timestamptz, recorded_after timestamptz, recorded_until timestamptz,
    OUT row_count bigint, OUT ids bigint[]
)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT
        count(*),
        ARRAY[
            coalesce(bit_xor(('x' || encode(substr(uuid_send(outcome_id), 1, 8), 'hex'))::bit(64)::bigint), 0),
            coalesce(bit_xor(('x' || encode(substr(uuid_send(outcome_id), 9, 8), 'hex'))::bit(64)::bigint), 0)
        ]
    FROM outcomes
    WHERE reported_at >= first_time AND reported_at < next_time
        AND recorded_at > recorded_after AND recorded_at <= summarise_outcomes.recorded_until;
END;

-- As verify_day, for the rows that have not expired.
CREATE FUNCTION verify_outcomes(
    of_day date, until timestamptz, exported_count bigint, exported_ids bigint[],
    OUT row_count bigint, OUT is_same boolean
)
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    first_time timestamptz := of_day::timestamp AT TIME ZONE 'UTC';
    gone_until timestamptz := coalesce((SELECT expired_until FROM verified_outcome_days WHERE day = of_day), '-infinity');
    ids bigint[];
BEGIN
    IF until > now() - interval '1 minute' THEN
        RAISE EXCEPTION 'rows recorded until % may not be committed yet', until;
    END IF;
    SELECT * INTO row_count, ids FROM summarise_outcomes(first_time, first_time + interval '1 day', gone_until, until);
    is_same := row_count = exported_count AND ids = exported_ids;
    IF is_same THEN
        INSERT INTO verified_outcome_days AS old (day, recorded_until, has_export)
        VALUES (of_day, until, exported_count > 0)
        ON CONFLICT (day) DO UPDATE
        SET recorded_until = EXCLUDED.recorded_until, has_export = old.has_export OR EXCLUDED.has_export;
    END IF;
END
$$;

-- Deletes some outcomes of a day, of those that are verified, and returns how many. It passes over those that a hold
-- keeps: of a period with their reported_at, or of their prediction.
CREATE FUNCTION expire_outcomes(of_day date, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    first_time timestamptz := of_day::timestamp AT TIME ZONE 'UTC';
    until timestamptz;
    deleted bigint;
BEGIN
    IF first_time + interval '1 day' > now() THEN
        RAISE EXCEPTION '% is not over', of_day;
    END IF;
    UPDATE verified_outcome_days SET expired_until = recorded_until, expired_at = now()
    WHERE day = of_day AND expired_until < recorded_until;
    SELECT expired_until INTO until FROM verified_outcome_days WHERE day = of_day;
    DELETE FROM outcomes WHERE outcome_id = ANY (ARRAY(
        SELECT outcome_id FROM outcomes AS old
        WHERE reported_at >= first_time AND reported_at < first_time + interval '1 day' AND recorded_at <= until
            AND (
                NOT EXISTS (SELECT FROM holds WHERE removed_at IS NULL)
                OR NOT (
                    is_held(NULL, NULL, reported_at)
                    OR EXISTS (
                        SELECT FROM predictions AS p
                        WHERE p.request_id = old.request_id AND is_held(p.subject, p.caller, p.created_at)
                    )
                )
            )
        LIMIT most
    ));
    GET DIAGNOSTICS deleted = ROW_COUNT;
    RETURN deleted;
END
$$;

-- What keeps damage to an export from spreading.

-- Whether the export of a day has had rows, so that there is a manifest. Of the days from before, nobody knows: as if.
ALTER TABLE verified_days ADD COLUMN has_export boolean NOT NULL DEFAULT true;

-- As before, and with has_export.
CREATE OR REPLACE FUNCTION verify_day(
    of_day date, until timestamptz, exported_count bigint, exported_ids bigint[],
    OUT row_count bigint, OUT is_same boolean
)
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    first_time timestamptz := of_day::timestamp AT TIME ZONE 'UTC';
    ids bigint[];
BEGIN
    IF until > now() - interval '1 minute' THEN
        RAISE EXCEPTION 'rows recorded until % may not be committed yet', until;
    END IF;
    SELECT * INTO row_count, ids FROM summarise_predictions(first_time, first_time + interval '1 day', until);
    is_same := row_count = exported_count AND ids = exported_ids;
    IF is_same THEN
        INSERT INTO verified_days AS old (day, recorded_until, has_export)
        VALUES (of_day, until, exported_count > 0)
        ON CONFLICT (day) DO UPDATE
        SET recorded_until = EXCLUDED.recorded_until, has_export = old.has_export OR EXCLUDED.has_export;
    END IF;
END
$$;

-- Days whose export has met a fault: each run tries them again.
CREATE TABLE stopped_days (
    table_name text,
    day date,
    PRIMARY KEY (table_name, day)
);

-- An exported file of those that were searched so far was passed over, because it or its manifest is damaged.
ALTER TABLE erasures ADD COLUMN has_fault boolean NOT NULL DEFAULT false;

-- As before, but a month under a hold that was placed since becomes a partition again, with the rows that came since.
CREATE OR REPLACE FUNCTION drop_detached() RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
AS $$
DECLARE
    detached date;
    partition_name text;
    first_time text;
    next_time text;
    is_kept boolean;
BEGIN
    FOR detached IN SELECT month FROM dropped_months WHERE dropped_at IS NULL FOR UPDATE LOOP
        partition_name := to_char(detached, '"predictions_"YYYY_MM');
        first_time := to_char(detached, 'YYYY-MM-DD"T00:00Z"');
        next_time := to_char(detached + interval '1 month', 'YYYY-MM-DD"T00:00Z"');
        EXECUTE format(
            'SELECT EXISTS (SELECT FROM holds WHERE removed_at IS NULL AND ((starts < %L AND ends > %L) '
            'OR subject IN (SELECT subject FROM %I) OR caller IN (SELECT caller FROM %I)))',
            next_time, first_time, partition_name, partition_name
        ) INTO is_kept;
        IF is_kept THEN
            EXECUTE format(
                'WITH moved AS (DELETE FROM predictions_default WHERE created_at >= %L AND created_at < %L RETURNING *) '
                'INSERT INTO %I SELECT * FROM moved ON CONFLICT DO NOTHING',
                first_time, next_time, partition_name
            );
            EXECUTE format(
                'ALTER TABLE predictions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                partition_name, first_time, next_time
            );
            DELETE FROM dropped_months WHERE month = detached AND dropped_at IS NULL;
        ELSE
            EXECUTE format('DROP TABLE %I', partition_name);
            UPDATE dropped_months SET dropped_at = now() WHERE month = detached AND dropped_at IS NULL;
            RETURN NEXT partition_name;
        END IF;
    END LOOP;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['verify_day', 'drop_detached'] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END
$$;

GRANT SELECT, INSERT, DELETE ON stopped_days TO :"maintain";

DO $$
BEGIN
    EXECUTE format('CREATE ROLE %I LOGIN', :'monitor');
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

DO $$
DECLARE
    name text;
    setting text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'link_outcome', 'find_prediction_times', 'keep_first_prediction', 'wait_for_outcomes', 'verify_outcomes',
        'expire_outcomes'
    ] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
    FOREACH name IN ARRAY ARRAY['wait_for_outcomes', 'verify_outcomes', 'expire_outcomes'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %I FROM PUBLIC', name);
    END LOOP;
    FOREACH setting IN ARRAY ARRAY[
        'default_transaction_read_only = ''on''',
        'statement_timeout = ''5min''',
        'idle_in_transaction_session_timeout = ''5min''',
        'client_encoding = ''UTF8''',
        'DateStyle = ''ISO''',
        'IntervalStyle = ''postgres''',
        'bytea_output = ''hex''',
        'TimeZone = ''UTC''',
        'extra_float_digits = ''1'''
    ] LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', :'monitor', current_database()) || setting;
    END LOOP;
END
$$;

GRANT INSERT, SELECT ON outcomes TO :"api";
GRANT INSERT ON outcomes TO :"replay";
GRANT SELECT, DELETE ON outcomes TO :"maintain";
GRANT UPDATE (predicted_at) ON outcomes TO :"maintain";
GRANT UPDATE (erasure_id) ON tombstones TO :"maintain";
GRANT SELECT ON predictions, outcomes TO :"monitor";
GRANT SELECT ON outcomes TO :"reader";
GRANT EXECUTE ON FUNCTION find_prediction_times TO :"api", :"replay";
GRANT EXECUTE ON FUNCTION unstored_outcomes TO :"replay";
GRANT SELECT ON verified_outcome_days TO :"maintain";
GRANT EXECUTE ON FUNCTION wait_for_outcomes, verify_outcomes, expire_outcomes TO :"maintain";
