"""The function maintain as a process that is killed at any moment: no record is lost, and no erased one comes back."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

from tests.commands import ROOT
from tests.functional.helpers import DEAD_DATABASE, Queues, Wire
from tests.functional.maintaining import OLD, YESTERDAY, Stage, make_records, name_partition
from tests.functional.outcomes import make_outcome
from tests.functional.test_replay import encode, find_failures, make_event

PROGRAM = """
import json, sys
from lambda_app.handler import maintain
from tests.events import Context
print("ready", flush=True)
print(json.dumps(maintain(json.loads(sys.argv[1]), Context())), flush=True)
"""
KILLS = 10
# A run takes a second or two, so the kills are spread over it.
STEP_SECONDS = 0.15
# Some of the killed runs also find no database, or no S3 and SQS.
AWAY: list[dict[str, str]] = [{}, {}, DEAD_DATABASE, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, {}]
ERASE = {"task": "erase", "subject": "ada", "reason": "a letter", "by": "bo"}


def start(event: dict[str, Any], environment: dict[str, str]) -> "subprocess.Popen[str]":
    """Start the function, and return when it has begun with the event."""
    command = [sys.executable, "-c", PROGRAM, json.dumps(event)]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(event: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    out, _ = start(event, environment).communicate()
    answer: dict[str, Any] = json.loads(out.splitlines()[-1])
    return answer


def test_killed_runs_lose_nothing_and_bring_nothing_back(stage: Stage, queues: Queues, wire: Wire) -> None:
    days = [OLD + timedelta(days=n) for n in range(8)]
    stays = [record for day in (*days, YESTERDAY) for record in make_records(day, 5, subject="bo")]
    goes = [record for day in (*days, YESTERDAY) for record in make_records(day, 2, subject="ada")]
    stage.insert([*stays, *goes])
    outcomes_stay, outcomes_go = ([make_outcome(record) for record in records] for records in (stays, goes))
    stage.insert_outcomes(*outcomes_stay, *outcomes_go)
    stage.wire(**queues.environment)
    environment = dict(os.environ)
    replay = wire("replay", DATABASE_NAME=stage.settings.database_name, **queues.environment)
    # First whole, so that the erasure finds files too.
    finish({"task": "daily"}, environment | {"RETENTION_MONTHS": ""})
    opened = False
    for number in range(KILLS):
        event = ERASE if number % 2 == 0 else {"task": "daily"}
        process = start(event, environment | AWAY[number % len(AWAY)])
        try:
            process.wait(STEP_SECONDS * number)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()
        # As if the time of the killed run's lease had passed.
        stage.query("UPDATE lease SET ends_at = '-infinity'")
        [[count]] = stage.query("SELECT count(*) FROM tombstones")
        opened = opened or count > 0
        if opened:
            assert find_failures(replay, make_event(encode(*goes))) == []
    assert opened
    answer = finish(ERASE, environment)
    assert "waits_for" not in answer
    assert finish({"task": "daily"}, environment)["open_erasures"] == 0
    assert find_failures(replay, make_event(encode(*goes))) == []
    stage.insert_outcomes(*outcomes_go)

    kept = [str(record.request_id) for record in stays]
    exported = stage.read_exported_ids()
    assert exported == sorted(kept)
    assert not stage.has_table(OLD)
    assert name_partition(OLD) not in stage.list_partitions()
    left = [str(request_id) for [request_id] in stage.query("SELECT request_id FROM predictions")]
    assert sorted(left) == sorted(str(record.request_id) for record in stays if record.created_at.date() == YESTERDAY)
    assert (queues.count(), queues.drain_dead_letters()) == (0, [])
    assert stage.read_exported_ids("outcomes") == sorted(str(outcome.outcome_id) for outcome in outcomes_stay)
    [[count]] = stage.query("SELECT count(*) FROM outcomes")
    assert count == sum(outcome.reported_at.date() == YESTERDAY for outcome in outcomes_stay) > 0
