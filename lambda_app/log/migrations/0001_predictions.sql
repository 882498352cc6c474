-- One row for every answer the service ever gave. Units are those of lambda_app/features.py.
CREATE TABLE predictions (
    request_id uuid PRIMARY KEY,
    created_at timestamptz NOT NULL,
    age double precision NOT NULL,
    sex smallint NOT NULL CHECK (sex IN (1, 2)),
    bmi double precision NOT NULL,
    bp double precision NOT NULL,
    s1 double precision NOT NULL,
    s2 double precision NOT NULL,
    s3 double precision NOT NULL,
    s4 double precision NOT NULL,
    s5 double precision NOT NULL,
    s6 double precision NOT NULL,
    prediction double precision NOT NULL,
    model_version text NOT NULL,
    latency_ms double precision NOT NULL CHECK (latency_ms >= 0),
    recorded_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN predictions.created_at IS 'When the prediction was made; recorded_at is when the row was written';
COMMENT ON COLUMN predictions.latency_ms IS 'From the arrival of the request to the making of this record';

-- For questions about a period, and about a model over time.
CREATE INDEX predictions_created_at ON predictions (created_at);
CREATE INDEX predictions_model_version ON predictions (model_version, created_at);
