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
COMMENT ON COLUMN outcomes.request_id IS 'The request_id of the prediction, which may be recorded later';
COMMENT ON COLUMN outcomes.value IS 'The true value, in the unit of prediction';
COMMENT ON COLUMN outcomes.observed_at IS 'When the value was observed, by the reporter';
COMMENT ON COLUMN outcomes.reported_at IS 'When the report arrived';
COMMENT ON COLUMN outcomes.recorded_at IS 'When the row was written: later than reported_at if it waited in the queue';
COMMENT ON COLUMN outcomes.predicted_at IS 'created_at of the prediction; null until that is recorded';
COMMENT ON COLUMN outcomes.reporter IS 'As caller in predictions';
COMMENT ON COLUMN outcomes.reporter_session IS 'As caller_session in predictions';

CREATE INDEX outcomes_request_id ON outcomes (request_id);
CREATE INDEX outcomes_observed_at ON outcomes (observed_at);
CREATE INDEX outcomes_predicted_at ON outcomes (predicted_at);
-- Finds the rows of a day, for the export, as predictions_times does.
CREATE INDEX outcomes_times ON outcomes USING brin (reported_at, recorded_at) WITH (autosummarize = on);

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
        SELECT FROM tombstones WHERE digest = digest_request(NEW.request_id)
    ) THEN
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
    FOREACH name IN ARRAY ARRAY['link_outcome', 'find_prediction_times'] LOOP
        EXECUTE format('ALTER FUNCTION %I SET search_path = %I, pg_temp', name, current_schema());
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
GRANT SELECT ON predictions, outcomes TO :"monitor";
GRANT SELECT ON outcomes TO :"reader";
GRANT EXECUTE ON FUNCTION find_prediction_times TO :"api", :"replay";
GRANT EXECUTE ON FUNCTION unstored_outcomes TO :"replay";
