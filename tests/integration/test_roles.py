"""What the database lets each function do, by its role: its own work and no more."""

import dataclasses

import pg8000.native
import pytest

from lambda_app.log.database import Database
from lambda_app.settings import Settings
from local.environment import DATABASE_USERS, Function

INSUFFICIENT_PRIVILEGE = "42501"


@pytest.mark.parametrize("function", ["api", "replay"])
@pytest.mark.parametrize(
    ("statement", "functions"),
    [
        ("INSERT INTO predictions (request_id) SELECT gen_random_uuid() WHERE false", {"api", "replay"}),
        ("SELECT FROM predictions LIMIT 0", {"api"}),
        ("INSERT INTO idempotency_keys (idempotency_key) SELECT '' WHERE false", {"api"}),
        ("SELECT FROM idempotency_keys LIMIT 0", {"api"}),
        ("SELECT unstored_predictions('[]')", {"replay"}),
        ("UPDATE predictions SET caller = NULL WHERE false", set()),
        ("DELETE FROM predictions WHERE false", set()),
        ("TRUNCATE predictions", set()),
        ("DELETE FROM idempotency_keys WHERE false", set()),
        ("SELECT FROM schema_migrations LIMIT 0", set()),
        ("CREATE TABLE loot ()", set()),
        ("CREATE ROLE accomplice", set()),
    ],
)
def test_a_role_may_do_what_its_function_does(
    statement: str, functions: set[Function], function: Function, settings: Settings
) -> None:
    database = Database(dataclasses.replace(settings, database_user=DATABASE_USERS[function]))
    try:
        if function in functions:
            database.run_transaction(lambda connection: connection.run(statement))
        else:
            with pytest.raises(pg8000.native.DatabaseError) as caught:
                database.run_transaction(lambda connection: connection.run(statement))
            assert caught.value.args[0]["C"] == INSUFFICIENT_PRIVILEGE
    finally:
        database.close()
