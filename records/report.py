"""The answers of the function in plain words."""

from collections.abc import Iterator, Mapping
from typing import Any

PLACES = {
    "predictions": "rows",
    "outcomes": "outcomes",
    "idempotency_keys": "idempotency keys",
    "messages": "records in messages",
    "exported_rows": "rows of files",
}


def describe_erasure(answer: Mapping[str, Any]) -> str:
    """The counts of what is erased, of what each hold keeps, and of messages that nobody could read."""
    state = "is open" if "waits_for" in answer else "is complete"
    text = f"Erasure {answer['erasure']} {state}: erased are {_describe_counts(answer['erased'])}"
    for number, counts in answer["kept_by_holds"].items():
        text += f"; kept by hold {number} are {_describe_counts(counts)}"
    if answer["unreadable_messages"]:
        text += f"; messages that cannot be read, and were left as they are: {answer['unreadable_messages']}"
    return text


def describe_hold(hold: Mapping[str, Any]) -> str:
    """Its scope, who placed it and why, and its end."""
    if hold["starts"]:
        scope = f"records from {hold['starts']} until before {hold['ends']}"
    else:
        scope = f"subject {hold['subject']}" if hold["subject"] else f"caller {hold['caller']}"
    text = f"Hold {hold['id']}: {scope}, since {hold['placed_at']} by {hold['placed_by']}: {hold['reason']}"
    return text + (f" (removed {hold['removed_at']} by {hold['removed_by']})" if hold["removed_at"] else "")


def describe_status(status: Mapping[str, Any]) -> str:
    """The state, a fact in each line."""
    return "\n".join(_list_facts(status))


def _list_facts(status: Mapping[str, Any]) -> Iterator[str]:
    yield f"Rows: about {status['rows']:,}, {status['rows_last_day']:,} of them recorded in the last 24 hours"
    if status["oldest"]:
        yield f"Oldest: {status['oldest']}, newest: {status['newest']}"
    yield f"Size: {_describe_bytes(status['bytes'])} of {_describe_bytes(status['database_bytes'])} in the database"
    outcomes = status["outcomes"]
    yield (
        f"Outcomes: about {outcomes['rows']:,}, {outcomes['rows_last_day']:,} of them recorded in the last 24 hours, "
        f"{_describe_bytes(outcomes['bytes'])}"
    )
    days = status["days_until_full"]
    yield "Disk full in: " + ("not known" if days is None else f"{days:,} days at this rate")
    yield f"Last export: {_describe_export(status['last_export'])}"
    yield f"Last export of outcomes: {_describe_export(outcomes['last_export'])}"
    yield f"Holds: {', '.join(map(str, status['holds'])) or 'none'}"
    for erasure in status["open_erasures"]:
        yield f"Open erasure {erasure['id']}: since {erasure['requested_at']} by {erasure['requested_by']}"
    if not status["open_erasures"]:
        yield "Open erasures: none"
    for partition in status["partitions"]:
        if partition["rows"]:
            yield f"{partition['name']}: about {partition['rows']:,} rows, {_describe_bytes(partition['bytes'])}"
    empty = sum(not partition["rows"] for partition in status["partitions"])
    yield f"Partitions without a row, by PostgreSQL's estimate: {empty}"


def _describe_export(export: Mapping[str, Any] | None) -> str:
    if export is None:
        return "none"
    return (
        f"{export['finished_at']}, {export['exported_rows']:,} rows, of all recorded until {export['recorded_until']}"
    )


def _describe_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {PLACES[name]}" for name, count in counts.items())


def _describe_bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} TB"
