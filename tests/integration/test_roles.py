"""The rights of the roles in the database: their own work and no more."""

import contextlib
import dataclasses

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE, REPLAY_ROLE
from lambda_app.settings import Settings

INSUFFICIENT_PRIVILEGE, READ_ONLY = "42501", "25006"


@pytest.mark.parametrize("role", [API_ROLE, REPLAY_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE])
@pytest.mark.parametrize(
    ("statement", "roles"),
    [
        ("INSERT INTO predictions (request_id) SELECT gen_random_uuid() WHERE false", {API_ROLE, REPLAY_ROLE}),
        ("SELECT FROM predictions LIMIT 0", {API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE}),
        ("INSERT INTO idempotency_keys (idempotency_key) SELECT '' WHERE false", {API_ROLE}),
        ("SELECT FROM idempotency_keys LIMIT 0", {API_ROLE, MAINTAIN_ROLE}),
        ("SELECT unstored_predictions('[]')", {REPLAY_ROLE}),
        ("INSERT INTO outcomes (outcome_id) SELECT gen_random_uuid() WHERE false", {API_ROLE, REPLAY_ROLE}),
        ("SELECT FROM outcomes LIMIT 0", {API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE}),
        ("UPDATE outcomes SET value = 0 WHERE false", set()),
        ("UPDATE outcomes SET predicted_at = NULL WHERE false", {MAINTAIN_ROLE}),
        ("DELETE FROM outcomes WHERE false", {MAINTAIN_ROLE}),
        ("SELECT find_prediction_times('{}')", {API_ROLE, REPLAY_ROLE}),
        ("SELECT unstored_outcomes('[]')", {REPLAY_ROLE}),
        ("UPDATE predictions SET caller = NULL WHERE false", set()),
        ("DELETE FROM predictions WHERE false", {MAINTAIN_ROLE}),
        ("TRUNCATE predictions", set()),
        ("DELETE FROM idempotency_keys WHERE false", {MAINTAIN_ROLE}),
        ("SELECT FROM predictions_default LIMIT 0", {API_ROLE, MAINTAIN_ROLE}),
        ("SELECT add_partitions(0)", {MAINTAIN_ROLE}),
        ("SELECT verify_day('2020-01-01', '2020-01-02', 0, '{0,0}')", {MAINTAIN_ROLE}),
        ("SELECT drop_detached()", {MAINTAIN_ROLE}),
        ("SELECT verify_outcomes('2020-01-01', '2020-01-02', 0, '{0,0}')", {MAINTAIN_ROLE}),
        ("SELECT expire_outcomes('2020-01-01', 0)", {MAINTAIN_ROLE}),
        ("SELECT wait_for_outcomes()", {MAINTAIN_ROLE}),
        ("INSERT INTO verified_outcome_days VALUES ('2020-01-01', now())", set()),
        ("UPDATE verified_outcome_days SET expired_until = now()", set()),
        ("INSERT INTO verified_days VALUES ('2020-01-01', now())", set()),
        ("INSERT INTO dropped_months (month) VALUES ('2020-01-01')", set()),
        ("DELETE FROM stopped_days WHERE false", {MAINTAIN_ROLE}),
        ("UPDATE lease SET holder = NULL WHERE false", {MAINTAIN_ROLE}),
        ("SELECT FROM tombstones LIMIT 0", {MAINTAIN_ROLE}),
        ("DELETE FROM tombstones", set()),
        ("UPDATE tombstones SET erasure_id = 0 WHERE false", {MAINTAIN_ROLE}),
        ("UPDATE tombstones SET erased_at = now() WHERE false", set()),
        ("SELECT FROM holds LIMIT 0", {MAINTAIN_ROLE}),
        ("DELETE FROM holds", set()),
        ("DELETE FROM exports", set()),
        ("ALTER TABLE predictions DETACH PARTITION predictions_default", set()),
        ("DROP TABLE predictions_default", set()),
        ("SELECT FROM schema_migrations LIMIT 0", set()),
        ("CREATE TABLE loot ()", set()),
        ("CREATE ROLE accomplice", set()),
    ],
)
def test_a_role_may_do_its_work_and_no_more(statement: str, roles: set[str], role: str, settings: Settings) -> None:
    def work(connection: pg8000.native.Connection) -> None:
        # Rights must hold for a reader too who asks to write.
        connection.run("SET TRANSACTION READ WRITE")
        connection.run(statement)

    with contextlib.closing(Database(dataclasses.replace(settings, database_user=role))) as database:
        if role in roles:
            database.run_transaction(work)
        else:
            with pytest.raises(pg8000.native.DatabaseError) as caught:
                database.run_transaction(work)
            assert caught.value.args[0]["C"] == INSUFFICIENT_PRIVILEGE


def test_reader_reads_for_minutes_and_does_not_write_by_mistake(settings: Settings) -> None:
    with contextlib.closing(Database(dataclasses.replace(settings, database_user=READER_ROLE))) as database:
        names = ("statement_timeout", "idle_in_transaction_session_timeout", "TimeZone")
        settings_shown = ", ".join(f"current_setting('{name}')" for name in names)
        shown = database.run_statement(lambda connection: connection.run(f"SELECT {settings_shown}"))
        assert shown == [["5min", "5min", "UTC"]]
        with pytest.raises(pg8000.native.DatabaseError) as caught:
            database.run_statement(lambda connection: connection.run("DELETE FROM predictions WHERE false"))
        assert caught.value.args[0]["C"] == READ_ONLY
