-- One row for every answer of the service. columns.py adds a column for each feature of problem/table.py.
CREATE TABLE predictions (
    request_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    prediction double precision NOT NULL,
    interval_lower double precision,
    interval_upper double precision,
    interval_coverage double precision,
    latency_ms double precision NOT NULL CHECK (latency_ms >= 0),
    batch_id uuid,
    batch_index integer CHECK (batch_index >= 0),
    model_version text NOT NULL,
    caller text,
    caller_session text,
    warnings jsonb,
    PRIMARY KEY (request_id, created_at),
    CONSTRAINT predictions_batch CHECK (num_nulls(batch_id, batch_index) IN (0, 2)),
    -- By counting nulls: a comparison with one is null, which passes a check.
    CONSTRAINT predictions_interval CHECK (
        num_nulls(interval_lower, interval_upper, interval_coverage) = 3
        OR (
            num_nulls(interval_lower, interval_upper) = 0
            AND interval_lower <= interval_upper
            AND (interval_coverage IS NULL OR (interval_coverage > 0 AND interval_coverage < 1))
        )
    )
) PARTITION BY RANGE (created_at);

COMMENT ON TABLE predictions IS 'One row for every answer of the service, in a partition for each month in UTC';
COMMENT ON COLUMN predictions.request_id IS 'The id of the request; in a batch, an id made from the batch''s and the place';
COMMENT ON COLUMN predictions.created_at IS 'When the prediction was made';
COMMENT ON COLUMN predictions.recorded_at IS 'When the row was written: later than created_at if it waited in the queue';
COMMENT ON COLUMN predictions.interval_lower IS 'Lower end of the prediction interval, in the unit of prediction';
COMMENT ON COLUMN predictions.interval_upper IS 'Upper end of the prediction interval, in the unit of prediction';
COMMENT ON COLUMN predictions.interval_coverage IS
    'Nominal share of cases whose interval holds the truth; null for a case unlike those of the training';
COMMENT ON COLUMN predictions.latency_ms IS 'Milliseconds from the arrival of the request to the making of this record';
COMMENT ON COLUMN predictions.batch_id IS 'The request that asked for several predictions; null for a single one';
COMMENT ON COLUMN predictions.batch_index IS 'The place in the batch, from 0; null for a single prediction';
COMMENT ON COLUMN predictions.model_version IS 'The version of the model that answered';
COMMENT ON COLUMN predictions.caller IS
    'ARN of the role or user, or JWT subject, by the gateway; null where no gateway asked for one';
COMMENT ON COLUMN predictions.caller_session IS 'Session of the role, for the audit; null for other callers';
COMMENT ON COLUMN predictions.warnings IS 'What the caller was warned of: a list of objects with field and message';

-- For questions about a model. Those about a month have the month's partition.
CREATE INDEX predictions_model_version ON predictions (model_version);
-- Finds a batch, and takes each place in it once.
CREATE UNIQUE INDEX predictions_batch_index ON predictions (batch_id, batch_index, created_at)
WHERE batch_id IS NOT NULL;

DO $$
DECLARE
    month timestamp := date_trunc('month', now() AT TIME ZONE 'UTC');
BEGIN
    FOR n IN 0..23 LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF predictions FOR VALUES FROM (%L) TO (%L)',
            to_char(month, '"predictions_"YYYY_MM'),
            to_char(month, 'YYYY-MM-DD"T00:00Z"'),
            to_char(month + interval '1 month', 'YYYY-MM-DD"T00:00Z"')
        );
        month := month + interval '1 month';
    END LOOP;
END
$$;

-- A row of another month is stored too.
CREATE TABLE predictions_default PARTITION OF predictions DEFAULT;

-- A unique index of a partitioned table must hold created_at, and a request that Lambda runs again has another one. So
-- this keeps the first row of an id: within a day, because a whole search would read an index of every month.
CREATE FUNCTION keep_first_prediction() RETURNS trigger
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
    RETURN NEW;
END
$$;

-- With its owner's rights it shall find this table, and no temporary one of the caller's.
DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION keep_first_prediction SET search_path = %I, pg_temp', current_schema());
END
$$;

CREATE TRIGGER predictions_keep_first BEFORE INSERT ON predictions
FOR EACH ROW EXECUTE FUNCTION keep_first_prediction();

-- Each Idempotency-Key of a caller, with the request that used it first and a SHA-256 of what it asked for.
CREATE TABLE idempotency_keys (
    caller text,
    idempotency_key text NOT NULL,
    fingerprint bytea NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (caller, idempotency_key)
);

-- By this replay learns whether a record is stored, and nothing else: it may not read the table. The places, from 0, of
-- those records that the table does not hold with exactly their values.
CREATE FUNCTION unstored_predictions(records json) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER
SET extra_float_digits = 1
BEGIN ATOMIC
    SELECT record.place - 1
    FROM json_array_elements(records) WITH ORDINALITY AS record (content, place)
    CROSS JOIN LATERAL (SELECT to_jsonb(json_populate_record(NULL::predictions, record.content)) AS row) AS given
    LEFT JOIN LATERAL (
        SELECT to_jsonb(predictions) AS row
        FROM predictions
        WHERE request_id = (record.content ->> 'request_id')::uuid
            AND created_at = (record.content ->> 'created_at')::timestamptz
    ) AS stored ON true
    WHERE EXISTS (
        SELECT FROM json_object_keys(record.content) AS name
        WHERE stored.row -> name IS DISTINCT FROM given.row -> name
    )
    ORDER BY record.place;
END;

REVOKE ALL ON FUNCTION unstored_predictions FROM PUBLIC;

-- What the roles may do: api adds records and reads them, replay only adds them, reader only reads them; whoever migrates
-- owns them. Their names are inserted from lambda_app/project.py. Roles belong to the whole server, so another of its
-- databases may have made them, even at this moment. They log in once somebody has given them a password.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[:'api', :'replay', :'reader'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

GRANT INSERT, SELECT ON predictions, idempotency_keys TO :"api";
GRANT INSERT ON predictions TO :"replay";
GRANT EXECUTE ON FUNCTION unstored_predictions TO :"replay";
GRANT SELECT ON predictions TO :"reader";

-- Here, because a SET by the client would pin its connection in RDS Proxy. The functions themselves wait no longer.
ALTER ROLE :"api" SET statement_timeout = '2s';
ALTER ROLE :"api" SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE :"replay" SET statement_timeout = '2s';
ALTER ROLE :"replay" SET idle_in_transaction_session_timeout = '5s';

-- No setting of server, database or role shall change a value, or call a record durable that is not. These hold for the
-- functions in this database, where they come before ALTER DATABASE and ALTER ROLE. Sessions that are open already keep
-- what they have.
DO $$
DECLARE
    name text;
    setting text;
BEGIN
    FOREACH name IN ARRAY ARRAY[:'api', :'replay'] LOOP
        FOREACH setting IN ARRAY ARRAY[
            'client_encoding = ''UTF8''',
            -- The client reads only these; in other styles it would take the day for the month.
            'DateStyle = ''ISO''',
            'IntervalStyle = ''postgres''',
            'bytea_output = ''hex''',
            'TimeZone = ''UTC''',
            -- At zero and below a number comes without its last digits.
            'extra_float_digits = ''1''',
            'synchronous_commit = ''on''',
            -- Who waited for another's key or row must see it.
            'default_transaction_isolation = ''read committed'''
        ] LOOP
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', name, current_database()) || setting;
        END LOOP;
    END LOOP;

    -- An analysis may take minutes, but not hold back VACUUM for hours. Months are those of UTC.
    FOREACH setting IN ARRAY ARRAY[
        'default_transaction_read_only = ''on''',
        'statement_timeout = ''5min''',
        'idle_in_transaction_session_timeout = ''5min''',
        'TimeZone = ''UTC'''
    ] LOOP
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', :'reader', current_database()) || setting;
    END LOOP;
END
$$;
