"""The drill: requests and faults at once, then peace until the queue is drained, then the evidence."""

import contextlib
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from lambda_app.log.message import encode_messages
from local.records import make_record
from tests.faults.candidate_faults import CANDIDATE_FAULTS
from tests.faults.evidence import Evidence
from tests.faults.faults import FAULTS, QUEUE, Fault
from tests.faults.ledger import Attempt, Row, read_rows
from tests.faults.replayers import running_replayers
from tests.faults.stage import VISIBILITY_SECONDS, Stage
from tests.faults.traffic import Traffic
from tests.faults.witness import find_records
from tests.queues import count_messages, drain_queue

ALL_FAULTS = (*FAULTS, *CANDIDATE_FAULTS)
# A fault with the rest after it takes so long on average.
FAULT_SECONDS = 5.5
# After which the breakers let requests through to the database again.
REST_SECONDS = (0.8, 1.2)
# moto takes a millisecond of each message of the queue to hand out one of them.
MAX_BACKLOG = 150
BACKLOG_SECONDS = 4.0
REQUESTS_IN_CYCLE = 5000
DRAIN_SECONDS = 120.0

Report = Callable[[str], None]


@dataclass(frozen=True)
class Planted:
    """The messages that the drill itself put into the queue."""

    storable: frozenset[UUID]
    unstorable: frozenset[str]


def run_drill(stage: Stage, faults: Sequence[Fault], requests: int, seed: int, report: Report) -> Evidence:
    """Inflict each fault at least once while at least `requests` requests are made."""
    dice = random.Random(f"{seed} faults")
    cycles = max(1, round(requests / REQUESTS_IN_CYCLE))
    schedule = [fault for _ in range(cycles) for fault in dice.sample(faults, len(faults))]
    traffic = Traffic(stage.idle_apis, requests, seed)
    events: Counter[str] = Counter()
    with running_replayers(stage.replays, events, seed) as replayers:
        # What nobody could store must neither stop the others nor vanish.
        planted = plant_messages(stage)
        with traffic.running():
            for index, fault in enumerate(schedule):
                traffic.set_pace(FAULT_SECONDS * (len(schedule) - index))
                inflict(fault, stage, traffic, dice, report)
            report("peace, until every Idempotency-Key has its answer")
        for replayer in replayers:
            replayer.spare()
        report("peace, until the queue is empty")
        waiting = wait_for_queue(stage, 0, DRAIN_SECONDS)
    with contextlib.closing(stage.connect()) as connection:
        rows = read_rows(connection)
    letters = empty_queues(stage, waiting)
    witness_report = stage.witness.report()
    counts = {
        "messages accepted by SQS": len(witness_report.accepted),
        "messages deleted": len(witness_report.deleted),
        **count_versions(rows, traffic.attempts, stage.trials.named[0].answering),
        **stage.trials.count_failures(),
    }
    return Evidence(
        attempts=traffic.attempts,
        rows=rows,
        planted=planted.storable,
        unstorable=planted.unstorable,
        # The ids of a message's records, or the message itself if it has none.
        dead_letters=frozenset(", ".join(map(str, find_records(body))) or body for body in letters),
        waiting=waiting,
        witness_report=witness_report,
        shows={fault.name: fault.shows for fault in faults},
        # Some of the faults alone may be over before all else has happened.
        events={**stage.events, **({**events, **traffic.events, **counts} if len(faults) == len(ALL_FAULTS) else {})},
        named=stage.trials.named,
        models=stage.trials.models,
        deaths=sum(replayer.unexpected_deaths for replayer in replayers),
    )


def inflict(fault: Fault, stage: Stage, traffic: Traffic, dice: random.Random, report: Report) -> None:
    """Inflict one fault, heal it, and rest."""
    before = len(traffic.attempts)
    traffic.fault = fault.name
    try:
        fault.inflict(stage, dice)
    finally:
        traffic.fault = ""
        stage.heal()
    count = Counter(attempt.outcome for attempt in traffic.attempts[before:])
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in count.most_common())
    report(f"{fault.name}: {outcomes or 'nobody was answered'}")
    time.sleep(dice.uniform(*REST_SECONDS))
    wait_for_queue(stage, MAX_BACKLOG, BACKLOG_SECONDS)


def count_versions(rows: Sequence[Row], attempts: Sequence[Attempt], current: frozenset[str]) -> dict[str, int]:
    """Count what of a candidate was stored, by both ways."""
    queued = {answer.request_id for one in attempts if one.outcome == QUEUE for answer in one.answers}
    candidates = {row.answer.request_id for row in rows if row.answer.model_version not in current}
    shadowed = {row.answer.request_id for row in rows if row.shadow}
    return {
        "answers of a candidate": len(candidates),
        "answers of a candidate, by way of the queue": len(candidates & queued),
        "shadows": len(shadowed),
        "shadows, by way of the queue": len(shadowed & queued),
    }


def plant_messages(stage: Stage) -> Planted:
    """Put messages into the queue that can never be stored, one of them together with a record that can."""
    good = make_record()
    bad = [make_record(features={**good.features, "sex": 3.0}), make_record(latency_ms=-1.0)]
    garbage = ["not JSON", "[1]", '{"version":0,"records":[]}']
    bodies = [*garbage, *encode_messages([bad[0], good]), *encode_messages([bad[1]])]
    for body in bodies:
        stage.sqs.send_message(QueueUrl=stage.queues.url, MessageBody=body)
    unstorable = {*garbage, *(str(record.request_id) for record in bad)}
    return Planted(frozenset({good.request_id}), frozenset(unstorable))


def empty_queues(stage: Stage, waiting: int) -> list[str]:
    """Empty both queues, so that the witness sees each message deleted; return the dead letters."""
    for environment in stage.replays:
        environment.kill()
    for front in (stage.sqs_front, stage.quiet_front):
        front.settle()
    if waiting:
        # What the replay functions had in their hands comes back first.
        time.sleep(VISIBILITY_SECONDS + 1)
        drain_queue(stage.sqs, stage.queues.url)
    return [letter["Body"] for letter in drain_queue(stage.sqs, stage.queues.dead_letter_url)]


def wait_for_queue(stage: Stage, enough: int, seconds: float) -> int:
    """Wait until at most `enough` messages are in the queue or in flight; return their number.

    Gives up when it has not shrunk for so many seconds: a machine with other work takes its time.
    """
    least, deadline = math.inf, 0.0
    while (waiting := count_messages(stage.sqs, stage.queues.url)) > enough:
        if waiting < least:
            least, deadline = waiting, time.monotonic() + seconds
        elif time.monotonic() > deadline:
            break
        time.sleep(0.2)
    return waiting
