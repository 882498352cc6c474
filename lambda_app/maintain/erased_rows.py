"""Erases rows of the tables: predictions with outcomes and keys, and outcomes of predictions that were elsewhere."""

import time
from typing import Any
from uuid import UUID

from lambda_app.maintain.open_erasure import Erasure, Progress, UnfinishedError

# The longest wait for those who write outcomes.
WAIT_SECONDS = 60.0
PAUSE_SECONDS = 1.0
# Of a statement, so that its locks are short.
CHUNK_ROWS = 1000

# The key of a batch stays with the last of its rows: without it, a retry would store the others again.
_ERASE_PREDICTIONS = """
WITH doomed AS MATERIALIZED (
    SELECT request_id, created_at, batch_id FROM predictions
    WHERE {meant} AND NOT is_held(subject, caller, created_at)
    LIMIT :chunk
), buried AS (
    INSERT INTO tombstones (digest, erased_at, erasure_id)
    SELECT digest_request(request_id), CAST(:until AS timestamptz), :id FROM doomed
    ON CONFLICT (digest) DO UPDATE SET erasure_id = EXCLUDED.erasure_id WHERE tombstones.erasure_id IS NULL
), deleted_keys AS (
    DELETE FROM idempotency_keys
    WHERE request_id IN (SELECT request_id FROM doomed UNION SELECT batch_id FROM doomed) AND NOT EXISTS (
        SELECT FROM predictions AS other
        WHERE other.batch_id = idempotency_keys.request_id
            AND NOT EXISTS (SELECT FROM doomed WHERE doomed.request_id = other.request_id)
    )
    RETURNING 1
), deleted AS (
    DELETE FROM predictions USING doomed
    WHERE predictions.request_id = doomed.request_id AND predictions.created_at = doomed.created_at
    RETURNING predictions.request_id
)
UPDATE erasures SET
    predictions = predictions + (SELECT count(*) FROM deleted),
    idempotency_keys = idempotency_keys + (SELECT count(*) FROM deleted_keys)
WHERE id = :id
RETURNING (SELECT coalesce(array_agg(request_id), '{{}}') FROM deleted)
"""
# The hold of a period keeps the outcomes that were reported in it.
_ERASE_OUTCOMES = """
WITH deleted AS (
    DELETE FROM outcomes
    WHERE request_id = ANY(CAST(:ids AS uuid[])) AND NOT is_held(NULL, NULL, reported_at)
    RETURNING 1
)
UPDATE erasures SET outcomes = outcomes + (SELECT count(*) FROM deleted) WHERE id = :id
"""
_HELD = """
holds.removed_at IS NULL AND (
    holds.subject = predictions.subject OR holds.caller = predictions.caller
    OR (starts <= created_at AND created_at < ends)
)
"""
_COUNT_HELD = f"""
SELECT holds.id, count(*) FROM predictions JOIN holds ON {_HELD} WHERE {{meant}} GROUP BY holds.id
"""  # noqa: S608 (our own text)
_COUNT_OUTCOMES_OF_HELD = f"""
SELECT id, found FROM holds
CROSS JOIN LATERAL (
    SELECT count(*) AS found FROM outcomes
    WHERE outcomes.request_id IN (SELECT predictions.request_id FROM predictions WHERE {{meant}} AND {_HELD})
) AS counted
WHERE found > 0
"""  # noqa: S608 (our own text)
# Reads the whole table, because there is no index of digests.
_FIND_BURIED_REQUESTS = """
SELECT DISTINCT request_id FROM outcomes
WHERE digest_request(request_id) IN (SELECT digest FROM tombstones WHERE erasure_id = :id)
    OR request_id = CAST(:request_id AS uuid)
"""
_COUNT_HELD_OUTCOMES = """
SELECT holds.id, count(*) FROM outcomes
JOIN holds ON removed_at IS NULL AND starts <= reported_at AND reported_at < ends
WHERE request_id = ANY(CAST(:ids AS uuid[]))
GROUP BY holds.id
"""


def erase_predictions(erasure: Erasure, progress: Progress) -> None:
    """Erase the predictions that are meant, in chunks, with their keys and outcomes."""
    statement = _ERASE_PREDICTIONS.format(meant=erasure.meant)
    values = {"id": erasure.number, "until": erasure.until, "chunk": CHUNK_ROWS} | erasure.values

    def erase_chunk(connection: Any) -> int:
        [[ids]] = connection.run(statement, **values)
        # After the predictions: who adds an outcome holds a lock on its prediction. The first statement has waited for
        # that, so this one sees the outcome.
        connection.run(_ERASE_OUTCOMES, id=erasure.number, ids=ids)
        return len(ids)

    while progress.tools.database.run_transaction(erase_chunk):
        progress.require_time()
    for place, count in {"predictions": _COUNT_HELD, "outcomes": _COUNT_OUTCOMES_OF_HELD}.items():
        progress.note_kept(place, dict(progress.tools.select(count.format(meant=erasure.meant), **erasure.values)))


def erase_outcomes(erasure: Erasure, progress: Progress) -> None:
    """Erase the outcomes of all requests that the erasure has buried, wherever their predictions were."""
    _wait_for_writers(progress)
    rows = progress.select(_FIND_BURIED_REQUESTS, request_id=progress.find_unkept_request(erasure))
    ids: list[UUID] = [request_id for [request_id] in rows]
    for start in range(0, len(ids), CHUNK_ROWS):
        progress.require_time()
        chunk = ids[start : start + CHUNK_ROWS]
        progress.select(_ERASE_OUTCOMES, ids=chunk)
        progress.note_kept("outcomes", dict(progress.tools.select(_COUNT_HELD_OUTCOMES, ids=chunk)))


def _wait_for_writers(progress: Progress) -> None:
    """Wait for those who have looked for a tombstone before it was there, and not committed their outcome yet."""
    deadline = time.monotonic() + WAIT_SECONDS
    while progress.tools.select("SELECT wait_for_outcomes()") != [[True]]:
        if time.monotonic() > deadline:
            raise UnfinishedError("a transaction that writes outcomes")
        time.sleep(PAUSE_SECONDS)
