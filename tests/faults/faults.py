"""The faults of a drill, inflicted one after the other while requests go on."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from lambda_app.log.database import DATABASE_ERRORS
from lambda_app.project import API_ROLE
from tests.faults.check import MAX_SECONDS
from tests.faults.environment import START_SECONDS
from tests.faults.front import Mode
from tests.faults.stage import Stage

DATABASE, QUEUE, REFUSED, DIED = "database", "queue", "refused", "died"
# Beyond what RDS accepts of a token's age.
EXPIRED_SECONDS = 1000.0
# A request that waits as long as a fault lasts must be noticed.
TELLING_SECONDS = MAX_SECONDS + 0.6


@dataclass(frozen=True)
class Fault:
    """A fault, which lasts until its `inflict` returns; everything is healed after it.

    `shows` are outcomes that some request must have had meanwhile. Where a fault is one that the service is to get
    over by itself, it shows records in the database.
    """

    name: str
    inflict: Callable[[Stage, random.Random], None]
    shows: frozenset[str]


FAULTS: list[Fault] = []


def _fault(name: str, *shows: str) -> Callable[[Callable[[Stage, random.Random], None]], None]:
    def add(inflict: Callable[[Stage, random.Random], None]) -> None:
        FAULTS.append(Fault(name, inflict, frozenset(shows)))

    return add


@_fault("PostgreSQL killed with transactions under way", QUEUE, DATABASE)
def _kill_within_transactions(stage: Stage, dice: random.Random) -> None:
    with _locked_table(stage):
        time.sleep(dice.uniform(0.3, 1.0))
        stage.postgres.kill()
    time.sleep(dice.uniform(0.5, 2.0))
    stage.postgres.start()
    time.sleep(1.5)


@_fault("PostgreSQL killed, SQS answers 503", REFUSED)
def _kill_without_sqs(stage: Stage, dice: random.Random) -> None:
    stage.sqs_front.mode = "error"
    stage.postgres.kill()
    time.sleep(dice.uniform(1.5, 2.5))


@_fault("table locked", QUEUE)
def _lock_table(stage: Stage, dice: random.Random) -> None:
    with _locked_table(stage):
        time.sleep(dice.uniform(5.2, 6.0))


@_fault("database's port cut", QUEUE)
def _cut_port(stage: Stage, dice: random.Random) -> None:
    stage.rds.mode = "refuse"
    time.sleep(dice.uniform(1.5, 3.0))


@_fault("database silent, SQS first slow, then silent too", QUEUE, REFUSED)
def _silence(stage: Stage, dice: random.Random) -> None:
    stage.sqs_front.mode = "slow"
    stage.rds.mode = "silent"
    time.sleep(TELLING_SECONDS / 2)
    stage.sqs_front.mode = "silent"
    time.sleep(TELLING_SECONDS / 2)


@_fault("answers delayed past the deadline, by many short waits and by long ones", QUEUE)
def _delay(stage: Stage, dice: random.Random) -> None:
    stage.rds.delay_seconds = dice.uniform(1.2, 1.7)
    time.sleep(TELLING_SECONDS / 2)
    stage.rds.delay_seconds = 2.5
    time.sleep(TELLING_SECONDS / 2)


@_fault("thaw after a freeze, connections closed", DATABASE)
def _freeze(stage: Stage, dice: random.Random) -> None:
    for _ in range(2):
        with _frozen(stage):
            time.sleep(dice.uniform(0.2, 0.5))
            stage.rds.drop_connections()
            time.sleep(dice.uniform(0.2, 0.5))


@_fault("thaw after a freeze, connections lost without a word", DATABASE)
def _freeze_unnoticed(stage: Stage, dice: random.Random) -> None:
    with _frozen(stage):
        time.sleep(dice.uniform(0.2, 0.5))
        stage.rds.forget_connections()
        time.sleep(dice.uniform(0.2, 0.5))
    time.sleep(3.0)


@_fault("connections dropped by proxy and server", DATABASE)
def _drop_connections(stage: Stage, dice: random.Random) -> None:
    for _ in range(4):
        stage.rds.drop_connections()
        time.sleep(dice.uniform(0.1, 0.5))
        connection = stage.connect()
        connection.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'diabetes%'")
        connection.close()
        time.sleep(dice.uniform(0.1, 0.5))


@_fault("answers to COMMIT lost", DATABASE, QUEUE)
def _lose_commits(stage: Stage, dice: random.Random) -> None:
    for _ in range(8):
        stage.rds.lose_commit_answers = dice.randint(1, 4)
        time.sleep(0.3)


@_fault("answers to COMMIT lost, SQS refuses", REFUSED)
def _lose_commits_without_sqs(stage: Stage, dice: random.Random) -> None:
    stage.sqs_front.mode = "refuse"
    stage.rds.lose_commit_answers = 1000
    time.sleep(dice.uniform(1.5, 2.5))


@_fault("IAM tokens expired", QUEUE)
def _expire_tokens(stage: Stage, dice: random.Random) -> None:
    stage.token_check.clock_offset_seconds = EXPIRED_SECONDS
    for _ in range(3):
        stage.rds.drop_connections()
        time.sleep(dice.uniform(0.7, 1.2))


@_fault("IAM tokens short-lived, connections dropped", DATABASE)
def _shorten_tokens(stage: Stage, dice: random.Random) -> None:
    # Longer than the second to which a token's time is rounded, shorter than the age of one that was kept.
    stage.token_check.max_token_age_seconds = 2.0
    for _ in range(2):
        time.sleep(dice.uniform(1.0, 1.5))
        stage.rds.drop_connections()
    dropped_at = len(stage.rds.logins)
    time.sleep(1.5)
    # The replay functions die so often that theirs are always new.
    logins = [login for login in stage.rds.logins[dropped_at:] if login.parameters["user"] == API_ROLE]
    stage.events["logins with a new token"] += sum(login.fault is None for login in logins)


@_fault("SQS refuses, the database is well", DATABASE)
def _refuse_sqs(stage: Stage, dice: random.Random) -> None:
    stage.sqs_front.mode = "refuse"
    time.sleep(dice.uniform(1.0, 2.0))


@_fault("SQS refuses, the database's port is cut", REFUSED)
def _refuse_both(stage: Stage, dice: random.Random) -> None:
    stage.sqs_front.mode = "refuse"
    stage.rds.mode = "refuse"
    time.sleep(dice.uniform(1.5, 2.5))


@_fault("SQS takes messages and its answers are lost, the database's port is cut", REFUSED)
def _lose_sqs_answers(stage: Stage, dice: random.Random) -> None:
    stage.sqs_front.mode = "lost"
    stage.rds.mode = "refuse"
    time.sleep(dice.uniform(2.0, 3.0))


@_fault("S3 fails while refreshes and cold starts are due", DATABASE)
def _fail_s3(stage: Stage, dice: random.Random) -> None:
    modes: list[Mode] = ["error", "slow", "reset", "truncated"]
    for mode in dice.sample(modes, len(modes)):
        stage.s3_front.mode = mode
        environment = stage.idle_apis.get(timeout=START_SECONDS)
        try:
            environment.restart()
        finally:
            stage.idle_apis.put(environment)
        # Longer than the others keep a model without a look at S3.
        time.sleep(dice.uniform(1.1, 1.4))
        stage.events[f"requests to S3, {mode}"] = stage.s3_front.seen[mode]


@_fault("everything flaps")
def _flap(stage: Stage, dice: random.Random) -> None:
    for _ in range(12):
        stage.rds.mode = dice.choice(("forward", "forward", "refuse", "silent"))
        stage.sqs_front.mode = dice.choice(("forward", "slow", "refuse", "silent", "error", "lost"))
        stage.rds.lose_commit_answers = dice.choice((0, 0, 2))
        time.sleep(dice.uniform(0.1, 0.7))


@_fault("environments killed within requests", DIED)
def _kill_environments(stage: Stage, dice: random.Random) -> None:
    for environment in dice.sample(stage.apis, 2):
        environment.doom()


@contextmanager
def _frozen(stage: Stage) -> Iterator[None]:
    """Freeze an idle environment, and use it again afterwards."""
    environment = stage.idle_apis.get(timeout=START_SECONDS)
    try:
        environment.freeze()
        yield
    finally:
        environment.thaw()
        stage.idle_apis.put(environment)


@contextmanager
def _locked_table(stage: Stage) -> Iterator[None]:
    """Block each INSERT by an open transaction of the superuser."""
    connection = stage.connect()
    try:
        connection.run("BEGIN")
        connection.run("LOCK TABLE predictions IN EXCLUSIVE MODE")
        yield
    finally:
        # The server may have been killed.
        with suppress(*DATABASE_ERRORS):
            connection.close()
