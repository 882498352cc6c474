-- An interval may have no coverage: for a patient unlike those of the training none is known. Rows of before and code
-- that always writes one keep to this too.
ALTER TABLE predictions
    DROP CONSTRAINT predictions_interval,
    -- By counting nulls: a comparison with one is null, which passes a check.
    ADD CONSTRAINT predictions_interval CHECK (
        num_nulls(interval_lower, interval_upper, interval_coverage) = 3
        OR (
            num_nulls(interval_lower, interval_upper) = 0
            AND interval_lower <= interval_upper
            AND (interval_coverage IS NULL OR (interval_coverage > 0 AND interval_coverage < 1))
        )
    );

COMMENT ON COLUMN predictions.interval_coverage IS
    'The nominal share of patients whose interval holds the truth; null for one unlike those of the training';
COMMENT ON COLUMN predictions.warnings IS 'In which way the patient is unlike those of the training, as the caller was told';
