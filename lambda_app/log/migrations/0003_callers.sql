-- Who asked, which predictions were asked for together, and what a caller was warned of. Rows from before have none of
-- them; code that knows of none still writes rows.
ALTER TABLE predictions
    ADD COLUMN caller text,
    ADD COLUMN batch_id uuid,
    ADD COLUMN batch_index integer CHECK (batch_index >= 0),
    ADD COLUMN warnings jsonb,
    ADD CONSTRAINT predictions_batch CHECK (num_nulls(batch_id, batch_index) IN (0, 2));

COMMENT ON COLUMN predictions.caller IS 'IAM ARN or JWT subject by the gateway; null where no gateway asked for one';
COMMENT ON COLUMN predictions.batch_id IS 'The request that asked for several predictions; batch_index is the place in it';
COMMENT ON COLUMN predictions.warnings IS 'Measurements outside what training saw, as the caller was told';

CREATE UNIQUE INDEX predictions_batch_index ON predictions (batch_id, batch_index) WHERE batch_id IS NOT NULL;

-- Each Idempotency-Key of a caller, with the request that used it first and a SHA-256 of what it asked for.
CREATE TABLE idempotency_keys (
    caller text,
    idempotency_key text NOT NULL,
    fingerprint bytea NOT NULL,
    request_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (caller, idempotency_key)
);
