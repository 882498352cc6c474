-- No setting of server, database or role shall change a value, or call a record durable that is not. These hold for the
-- functions in this database, where they come before ALTER DATABASE and ALTER ROLE. A SET by the client would pin its
-- connection in RDS Proxy. Sessions that are open already keep what they have.
DO $$
DECLARE
    name text;
    setting text;
BEGIN
    FOREACH name IN ARRAY ARRAY['diabetes_api', 'diabetes_replay'] LOOP
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
            -- Who waited for another's key must see it.
            'default_transaction_isolation = ''read committed'''
        ] LOOP
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET ', name, current_database()) || setting;
        END LOOP;
    END LOOP;
END
$$;

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
    ) AS stored ON true
    WHERE EXISTS (
        SELECT FROM json_object_keys(record.content) AS name
        WHERE stored.row -> name IS DISTINCT FROM given.row -> name
    )
    ORDER BY record.place;
END;

REVOKE ALL ON FUNCTION unstored_predictions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION unstored_predictions TO diabetes_replay;
