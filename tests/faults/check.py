"""The verdict: each 200 must mean exactly one record in the table."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tests.faults.evidence import Evidence
from tests.faults.ledger import Answer, Attempt, Row
from tests.faults.versions import judge_versions
from tests.faults.witness import WitnessReport

MAX_SECONDS = 10.0
SHOWN_IDS = 5


@dataclass(frozen=True)
class Verdict:
    """The findings. The promise holds if nothing is broken."""

    figures: str
    broken: list[str]


class _Facts:
    """The evidence, indexed for the checks below."""

    def __init__(self, evidence: Evidence) -> None:
        self.attempts = evidence.attempts
        self.good = [attempt for attempt in evidence.attempts if attempt.status == 200]
        self.answered = {answer.request_id for attempt in self.good for answer in attempt.answers}
        self.rows: dict[UUID, list[Row]] = defaultdict(list)
        for row in evidence.rows:
            self.rows[row.answer.request_id].append(row)
        # Who made a row, and for which patient of his.
        self.makers = {
            row_id: (attempt, index) for attempt in evidence.attempts for index, row_id in enumerate(attempt.row_ids)
        }
        self.unanswered = self.rows.keys() - self.answered - evidence.planted
        self.keys: dict[tuple[str | None, str], list[Attempt]] = defaultdict(list)
        for attempt in evidence.attempts:
            if attempt.asked.key is not None:
                self.keys[(attempt.asked.caller, attempt.asked.key)].append(attempt)


def check(evidence: Evidence) -> Verdict:
    """Judge a drill whose faults are over and whose queue was drained."""
    facts, report = _Facts(evidence), evidence.witness_report
    lost = (facts.answered | evidence.planted) - facts.rows.keys()
    twice = set(_find_twice(facts))
    made = [row for row in evidence.rows if row.answer.request_id not in evidence.planted]
    wrong = judge_versions(made, evidence.named, evidence.models)
    findings: list[tuple[str, Iterable[Any]]] = [
        *((f"answered but not stored, lost by {culprit}", ids) for culprit, ids in _charge(lost, report)),
        ("accepted, but forgotten by the stand-in for SQS", report.accepted.keys() - report.deleted),
        ("deleted, but handed out again by the stand-in for SQS", report.revived),
        ("stored twice", twice),
        ("stored but never asked for", facts.rows.keys() - facts.makers.keys() - evidence.planted),
        ("stored without an answer, though the client got no error", _find_hidden(facts)),
        ("stored otherwise than answered", _find_differing(facts)),
        ("stored otherwise than asked", _find_altered(facts)),
        *wrong.items(),
        ("answered for other rows than its own", _find_foreign(facts)),
        ("answered twice and differently for one key", _find_unequal(facts)),
        ("neither a proper 200 nor a proper 503", _find_improper(facts)),
        (f"took {MAX_SECONDS:g} s or more", (one.request_id for one in facts.attempts if one.seconds >= MAX_SECONDS)),
        ("unstorable, but not in the dead-letter queue", evidence.unstorable - evidence.dead_letters),
        ("in the dead-letter queue, but storable", evidence.dead_letters - evidence.unstorable),
        ("still in the queue", ["a message"] * evidence.waiting),
        ("ended by itself", ["a function"] * evidence.deaths),
        ("did not happen, so that nothing is proved", _find_missing(evidence)),
    ]
    broken = [line for what, items in findings if (line := _describe(what, list(items)))]
    return Verdict(_describe_figures(facts, lost, twice, set().union(*wrong.values())), broken)


def _charge(lost: set[UUID], witness_report: WitnessReport) -> Iterator[tuple[str, list[UUID]]]:
    """Charge each lost record to the part that last had to keep it."""
    messages = defaultdict(set)
    for message_id, record_ids in witness_report.accepted.items():
        for record_id in record_ids:
            messages[record_id].add(message_id)
    culprits = defaultdict(list)
    for record_id in lost:
        if not messages[record_id]:
            culprits["the service"].append(record_id)
        elif messages[record_id] & witness_report.deleted:
            culprits["the replayer"].append(record_id)
        else:
            culprits["the stand-in for SQS"].append(record_id)
    yield from culprits.items()


def _find_twice(facts: _Facts) -> Iterator[UUID]:
    yield from (row_id for row_id, rows in facts.rows.items() if len(rows) > 1)
    places = Counter((row.batch_id, row.batch_index) for rows in facts.rows.values() for row in rows if row.batch_id)
    yield from (batch_id for (batch_id, _), count in places.items() if batch_id and count > 1)
    for attempts in facts.keys.values():
        makers = [attempt for attempt in attempts if any(row_id in facts.rows for row_id in attempt.row_ids)]
        yield from (attempt.request_id for attempt in makers[1:])


def _find_hidden(facts: _Facts) -> Iterator[UUID]:
    for row_id in facts.unanswered & facts.makers.keys():
        if facts.makers[row_id][0].status not in {None, 503}:
            yield row_id


def _find_differing(facts: _Facts) -> Iterator[UUID]:
    for attempt in facts.good:
        for answer in attempt.answers:
            if any(row.answer != answer for row in facts.rows.get(answer.request_id, [])):
                yield answer.request_id


def _find_altered(facts: _Facts) -> Iterator[UUID]:
    for row_id, rows in facts.rows.items():
        if row_id not in facts.makers:
            continue
        attempt, index = facts.makers[row_id]
        batch = (attempt.request_id, index) if attempt.asked.is_batch else (None, None)
        for row in rows:
            told = (row.patient, row.caller, (row.batch_id, row.batch_index))
            if told != (attempt.asked.patients[index], attempt.asked.caller, batch):
                yield row_id


def _find_foreign(facts: _Facts) -> Iterator[UUID]:
    for attempt in facts.good:
        same_key = facts.keys.get((attempt.asked.caller, attempt.asked.key or ""), [])
        possible = [other.row_ids for other in same_key] if attempt.replayed else [attempt.row_ids]
        if [answer.request_id for answer in attempt.answers] not in possible:
            yield attempt.request_id


def _find_unequal(facts: _Facts) -> Iterator[str]:
    for (_, key), attempts in facts.keys.items():
        good = [attempt for attempt in attempts if attempt.status == 200]
        told: set[tuple[Answer, ...]] = {attempt.answers for attempt in good}
        if len(told) > 1 or sum(not attempt.replayed for attempt in good) > 1:
            yield key


def _find_improper(facts: _Facts) -> Iterator[str]:
    for attempt in facts.attempts:
        if attempt.status == 200:
            # Only the database knows whether a key was used.
            places = {"database"} if attempt.asked.key is not None else {"database", "queue"}
            proper = attempt.record in places and bool(attempt.answers)
        else:
            retry_after = attempt.retry_after or ""
            proper = attempt.status is None or (attempt.status == 503 and retry_after.isdigit() and not attempt.answers)
        if not proper:
            yield f"{attempt.request_id} ({attempt.status}, during: {attempt.fault})"


def _find_missing(evidence: Evidence) -> Iterator[str]:
    seen = {(attempt.fault, attempt.outcome) for attempt in evidence.attempts}
    for fault, outcomes in evidence.shows.items():
        yield from (f"{outcome} during: {fault}" for outcome in sorted(outcomes) if (fault, outcome) not in seen)
    yield from (event for event, count in evidence.events.items() if count == 0)


def _describe(what: str, items: Sequence[Any]) -> str:
    if not items:
        return ""
    shown = ", ".join(str(item) for item in items[:SHOWN_IDS])
    return f"{len(items):,} {what}: {shown}{', ...' if len(items) > SHOWN_IDS else ''}"


def _describe_figures(facts: _Facts, lost: set[UUID], twice: set[UUID], wrong: set[UUID]) -> str:
    count = Counter(attempt.outcome for attempt in facts.attempts)
    slowest = max((attempt.seconds for attempt in facts.attempts), default=0.0)
    stored = len(facts.answered & facts.rows.keys())
    return (
        f"{len(facts.attempts):,} requests: {len(facts.good):,} answered ({count['database']:,} recorded by the "
        f"database, {count['queue']:,} by the queue, {count['replayed']:,} earlier answers), "
        f"{count['refused']:,} refused, {count['died']:,} cut off; {len(facts.answered):,} predictions answered: "
        f"{stored:,} stored, {len(lost):,} lost, {len(twice):,} twice, {len(wrong):,} of a wrong version; "
        f"{len(facts.unanswered):,} rows without an answer; slowest request {slowest:.1f} s"
    )
