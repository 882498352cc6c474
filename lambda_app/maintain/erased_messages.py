"""Erases records and outcomes from the messages of the queue and of the dead-letter queue."""

from collections.abc import Callable
from datetime import datetime

from lambda_app.maintain.exported_rows import digest_request
from lambda_app.maintain.holds import Holds
from lambda_app.maintain.messages import remove_items, wait_until_received
from lambda_app.maintain.open_erasure import Erasure, Progress, UnfinishedError
from lambda_app.maintain.queued import Item, QueuedOutcome, QueuedRecord

_COUNT_MESSAGES = "UPDATE erasures SET messages = messages + :count WHERE id = :id"


def erase_queued_predictions(erasure: Erasure, progress: Progress) -> None:
    """Take out the records that are meant, and bury them."""
    holds = Holds()

    def is_meant(record: QueuedRecord, sent_at: datetime) -> bool:
        first_time = min(record.created_at, sent_at)
        if not erasure.means(record.request_id, record.batch_id, record.subject, first_time):
            return False
        # Anew for each record, because a sweep takes long.
        progress.tools.database.run_statement(holds.read)
        if holds.keep(record.request_id, record.subject, record.caller, record.created_at):
            return False
        progress.bury(erasure, [record.request_id], [record.batch_id])
        return True

    _sweep(progress, QueuedRecord, is_meant, holds)


def erase_queued_outcomes(erasure: Erasure, progress: Progress) -> None:
    """Take out the outcomes of requests that are buried."""
    holds = Holds()
    buried = progress.find_buried(erasure)

    def is_meant(outcome: QueuedOutcome, _sent_at: datetime) -> bool:
        if digest_request(outcome.request_id) not in buried:
            return False
        progress.tools.database.run_statement(holds.read)
        return not holds.keep(outcome.outcome_id, None, None, outcome.reported_at)

    _sweep(progress, QueuedOutcome, is_meant, holds)


def _sweep(progress: Progress, kind: type[Item], is_meant: Callable[[Item, datetime], bool], holds: Holds) -> None:
    """Take out what is meant; UnfinishedError unless that was possible for all messages."""
    tools = progress.tools
    faults = []
    unreadable = 0
    for _, url in tools.list_queues():
        sweep = remove_items(tools.sqs, url, kind, is_meant, tools.seconds_left)
        progress.select(_COUNT_MESSAGES, count=sweep.removed)
        unreadable += sweep.unreadable
        if not sweep.is_whole:
            faults.append("more messages than one call can search")
        elif not wait_until_received(tools.sqs, url):
            faults.append("messages that somebody works on")
    # The same ones in every sweep.
    progress.unreadable_messages = unreadable
    progress.note_kept("messages", holds.count_kept())
    if faults:
        raise UnfinishedError(faults[0])
