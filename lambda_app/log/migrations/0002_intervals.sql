-- The prediction interval of each answer. Answers that were given before have none, and code that knows of none still
-- writes rows.
ALTER TABLE predictions
    ADD COLUMN interval_lower double precision,
    ADD COLUMN interval_upper double precision,
    ADD COLUMN interval_coverage double precision,
    -- By counting nulls: a comparison with one is null, which passes a check.
    ADD CONSTRAINT predictions_interval CHECK (
        num_nulls(interval_lower, interval_upper, interval_coverage) = 3
        OR (
            num_nulls(interval_lower, interval_upper, interval_coverage) = 0
            AND interval_lower <= interval_upper
            AND interval_coverage > 0
            AND interval_coverage < 1
        )
    );

COMMENT ON COLUMN predictions.interval_lower IS 'Lower end of the prediction interval, in units of prediction';
COMMENT ON COLUMN predictions.interval_upper IS 'Upper end of the prediction interval, in units of prediction';
COMMENT ON COLUMN predictions.interval_coverage IS 'The nominal share of patients whose interval holds the truth';
