-- What a candidate predicted beside the answer: all of it null without a candidate.

ALTER TABLE predictions
    ADD COLUMN shadow_version text,
    ADD COLUMN shadow_prediction double precision,
    ADD COLUMN shadow_lower double precision,
    ADD COLUMN shadow_upper double precision,
    ADD COLUMN shadow_coverage double precision,
    ADD COLUMN shadow_ms real,
    -- No row has any of them, so none is read.
    ADD CONSTRAINT predictions_shadow CHECK (
        num_nulls(shadow_version, shadow_prediction, shadow_lower, shadow_upper, shadow_ms) IN (0, 5)
        AND (shadow_coverage IS NULL OR shadow_version IS NOT NULL)
    ) NOT VALID;

COMMENT ON COLUMN predictions.shadow_version IS
    'The candidate that predicted too, without being the answer; null where none did';
COMMENT ON COLUMN predictions.shadow_prediction IS 'The prediction of the candidate, in the unit of prediction';
COMMENT ON COLUMN predictions.shadow_lower IS 'As interval_lower, of the candidate';
COMMENT ON COLUMN predictions.shadow_upper IS 'As interval_upper, of the candidate';
COMMENT ON COLUMN predictions.shadow_coverage IS 'As interval_coverage, of the candidate';
COMMENT ON COLUMN predictions.shadow_ms IS 'Milliseconds that the candidate took; in a batch, its time by the number of cases';
