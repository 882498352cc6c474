"""The answers of the function in plain words."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

# The singular and the plural.
PLACES = {
    "predictions": ("row", "rows"),
    "outcomes": ("outcome", "outcomes"),
    "idempotency_keys": ("idempotency key", "idempotency keys"),
    "messages": ("record in a message", "records in messages"),
    "exported_rows": ("row of a file", "rows of files"),
}


def describe_erasure(answer: Mapping[str, Any]) -> str:
    """Its state, what is erased, what each hold keeps, and how many messages nobody could read, a fact in each line.

    In an outage the answer has not even a number.
    """
    waits_for = answer.get("waits_for")
    if "erasure" not in answer:
        return f"The erasure is not begun. It waits for {waits_for}"
    name = f"Erasure {answer['erasure']}"
    if "erased" not in answer:
        return f"{name} is open. It waits for {waits_for}"
    lines = [f"{name} is {'open' if waits_for else 'complete'}"]
    if any(answer["erased"].values()):
        lines.append(f"Erased: {_describe_counts(answer['erased'])}")
    elif not waits_for:
        lines.append("Nothing was found. If something should be there, look at the subject or the id once more")
    lines += [f"Kept by hold {hold}: {_describe_counts(counts)}" for hold, counts in answer["kept_by_holds"].items()]
    if answer["unreadable_messages"]:
        lines.append(f"Messages that cannot be read, and stay as they are: {answer['unreadable_messages']}")
    if waits_for == "holds":
        lines.append("What is kept is erased by the first daily run after the hold")
    elif waits_for:
        lines.append(f"It waits for {waits_for}")
    return "\n".join(lines)


def describe_run(result: Mapping[str, Any]) -> str:
    """The work of a daily run, a fact in each line."""
    return "\n".join(_list_deeds(result))


def _list_deeds(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"Erasures: {result['completed_erasures']:,} completed, {result['open_erasures']:,} are still open"
    yield f"Partitions made: {', '.join(result['partitions']) or 'none'}"
    if result["default_rows"]:
        yield f"Rows of a month without a partition, which have moved into one: {result['default_rows']:,}"
    yield f"Outcomes that have found their prediction: {result['linked_outcomes']:,}"
    yield f"Exported predictions: {result['exported_rows']:,} of {_count_days(result['days'])}"
    yield f"Exported outcomes: {result['exported_outcomes']:,} of {_count_days(result['outcome_days'])}"
    if result.get("unfinished"):
        yield "The time was too short for all days: the next run goes on"
    yield f"Months dropped: {', '.join(result['dropped']) or 'none'}"
    for month, holds in result["kept_by_holds"].items():
        yield f"Month {month} stays, because of hold {', '.join(map(str, holds))}"
    yield f"Old outcomes deleted: {result['expired_outcomes']:,}"
    if result["outcomes_kept_by_holds"]:
        yield f"Old outcomes that holds keep: {result['outcomes_kept_by_holds']:,}"
    yield f"Old Idempotency-Keys deleted: {result['expired_keys']:,}"


def _count_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days:,} days"


def describe_hold(hold: Mapping[str, Any]) -> str:
    """Its scope, who placed it and why, and its end."""
    if hold["starts"]:
        first, end = (datetime.fromisoformat(hold[name]) for name in ("starts", "ends"))
        # The end itself is no longer held.
        scope = f"the days from {first.date()} to {(end - timedelta(microseconds=1)).date()} (UTC)"
    else:
        scope = f"subject {hold['subject']}" if hold["subject"] else f"caller {hold['caller']}"
    text = f"Hold {hold['id']}: {scope}, since {hold['placed_at']} by {hold['placed_by']}: {hold['reason']}"
    return text + (f" (removed {hold['removed_at']} by {hold['removed_by']})" if hold["removed_at"] else "")


def describe_status(status: Mapping[str, Any]) -> str:
    """The state, a fact in each line."""
    return "\n".join(_list_facts(status))


def _list_facts(status: Mapping[str, Any]) -> Iterator[str]:
    yield f"Rows: about {status['rows']:,}, {status['rows_last_day']:,} recorded in the last 24 hours"
    if status["oldest"]:
        yield f"Oldest: {status['oldest']}, newest: {status['newest']}"
    yield f"Size: {_describe_bytes(status['bytes'])} of {_describe_bytes(status['database_bytes'])} in the database"
    outcomes = status["outcomes"]
    yield (
        f"Outcomes: about {outcomes['rows']:,}, {outcomes['rows_last_day']:,} recorded in the last 24 hours, "
        f"{_describe_bytes(outcomes['bytes'])}"
    )
    yield '("About" is an estimate of PostgreSQL, which may lag behind deletions)'
    yield f"Disk full in: {_describe_days(status)}"
    yield f"Last export: {_describe_export(status['last_export'])}"
    yield f"Last export of outcomes: {_describe_export(outcomes['last_export'])}"
    yield f"Holds: {', '.join(map(str, status['holds'])) or 'none'}"
    for erasure in status["open_erasures"]:
        yield f"Open erasure {erasure['id']}: since {erasure['requested_at']} by {erasure['requested_by']}"
    if not status["open_erasures"]:
        yield "Open erasures: none"
    for partition in status["partitions"]:
        if partition["rows"]:
            yield f"Rows in {partition['name']}: about {partition['rows']:,}, {_describe_bytes(partition['bytes'])}"
    empty = sum(not partition["rows"] for partition in status["partitions"])
    yield f"Partitions without a row, by PostgreSQL's estimate: {empty}"


def _describe_days(status: Mapping[str, Any]) -> str:
    days = status["days_until_full"]
    if days is not None:
        return f"{days:,} days, at the rate of the last 24 hours"
    if status["rows_last_day"] + status["outcomes"]["rows_last_day"] == 0:
        return "not known, because nothing was recorded in the last 24 hours"
    return "not known, because no setting tells the size of the disk"


def _describe_export(export: Mapping[str, Any] | None) -> str:
    if export is None:
        return "none"
    return (
        f"{export['finished_at']}, {export['exported_rows']:,} rows, of all recorded until {export['recorded_until']}"
    )


def _describe_counts(counts: Mapping[str, int]) -> str:
    """Those that are not zero."""
    return ", ".join(f"{count:,} {PLACES[name][count != 1]}" for name, count in counts.items() if count)


def _describe_bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"
