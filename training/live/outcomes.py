"""Sends outcomes to the API, in requests of up to a thousand, and sets aside what it refuses."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from pathlib import Path

from stacks.api import Answer, Post
from stacks.errors import UnansweredError
from training.live.errors import LiveError
from training.live.outcome_rows import RefusedRows, Row, Sent, load_sent, read_rows, save_sent

ROUTE = "/outcomes"
MOST_ITEMS = 1_000
# 502 and 504 come of the gateway. The same outcomes again change nothing, so all of these may be repeated.
PASSING = (429, 500, 502, 503, 504)
ATTEMPTS = 8
LONGEST_PAUSE_SECONDS = 60.0
ITEM = re.compile(r"outcomes\[(\d+)\](?:\.(\w+))?")


@dataclass(frozen=True)
class Imported:
    """The result: rows of the file, those settled by earlier runs, and those sent now by where they were recorded."""

    rows: int
    earlier: int
    recorded: Counter[str]
    refused: int
    refused_path: Path


def import_outcomes(
    path: Path, to: str, post: Post, *, report_row: Callable[[int], None], report_refused: Callable[[int, str], None]
) -> Imported:
    """Send the rows of the file that were not sent to this stack yet.

    Killed at any point, it goes on from there with the next call. Raises LiveError or ReachError.
    """
    state_path, refused_path = path.with_name(f"{path.name}.sent"), path.with_suffix(".rejected.csv")
    sent = _find_start(path, refused_path, load_sent(state_path, to))
    earlier, recorded = sent.rows, Counter[str]()
    refused = RefusedRows(refused_path, sent)
    with closing(refused):
        for batch in _divide(islice(read_rows(path), sent.rows, None)):
            taken, destination, faults = _send(batch, post)
            recorded[destination] += taken
            for row, reason in faults:
                refused.add(row, reason)
                report_refused(row.line, reason)
            sent.rows += len(batch)
            sent.sha256 = batch[-1].sha256
            sent.refused += len(faults)
            sent.refused_bytes, sent.refused_sha256 = refused.flush()
            save_sent(state_path, sent)
            for number in range(sent.rows - len(batch) + 1, sent.rows + 1):
                report_row(number)
    if not sent.refused:
        refused_path.unlink()
    return Imported(sent.rows, earlier, recorded, sent.refused, refused_path)


def count_rows(path: Path) -> int:
    """The number of rows; raises LiveError before anything is sent of a file that cannot be read."""
    return sum(1 for _ in read_rows(path))


def _find_start(path: Path, refused_path: Path, sent: Sent) -> Sent:
    """Return what was settled of this very file.

    That is nothing if it begins with other rows now, or if its refused rows are gone: they are told of again.
    """
    if sent.refused and not refused_path.exists():
        return Sent(sent.to)
    last = next(islice(read_rows(path), sent.rows - 1, None), None) if sent.rows else None
    return sent if last and last.sha256 == sent.sha256 else Sent(sent.to)


def _divide(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Yield the rows of each request: in it, no prediction has two outcomes, since one corrects the other."""
    batch: list[Row] = []
    known: set[str] = set()
    for row in rows:
        request_id = row.texts[0].lower()
        if len(batch) == MOST_ITEMS or request_id in known:
            yield batch
            batch, known = [], set()
        batch.append(row)
        known.add(request_id)
    if batch:
        yield batch


def _send(batch: Sequence[Row], post: Post) -> tuple[int, str, list[tuple[Row, str]]]:
    """Send the rows until what is left of them is taken; return how many, where they are, and each refused row."""
    faults = [(row, row.fault) for row in batch if row.fault]
    left = [row for row in batch if not row.fault]
    while left:
        content = json.dumps({"outcomes": [row.make_item() for row in left]}, allow_nan=False).encode()
        answer = _post_patiently(post, content)
        if answer.status == HTTPStatus.OK:
            return len(left), answer.headers.get("x-outcome-record", "database"), _sort(faults)
        refused = _find_refused(answer)
        faults += [(left[place], reason) for place, reason in refused.items()]
        left = [row for place, row in enumerate(left) if place not in refused]
    return 0, "", _sort(faults)


def _sort(faults: Sequence[tuple[Row, str]]) -> list[tuple[Row, str]]:
    return sorted(faults, key=lambda fault: fault[0].line)


def _post_patiently(post: Post, content: bytes) -> Answer:
    """Ask again while the service is busy or away, at most ATTEMPTS times."""
    for attempt in range(ATTEMPTS):
        told = ""
        pause = min(2.0**attempt, LONGEST_PAUSE_SECONDS)
        try:
            answer = post(ROUTE, content)
        except UnansweredError as error:
            if attempt == ATTEMPTS - 1:
                raise
            told = str(error)
        else:
            if answer.status not in PASSING:
                return answer
            told = f"status {answer.status}"
            if (named := answer.headers.get("retry-after", "")).isdecimal():
                pause = min(float(named), LONGEST_PAUSE_SECONDS)
        if attempt < ATTEMPTS - 1:
            time.sleep(pause)
    raise LiveError(f"the API did not take the outcomes ({told}): run the same again later, and it goes on from here")


def _find_refused(answer: Answer) -> dict[int, str]:
    """Return the places of the items that the service refuses, each with the reason; LiveError for another refusal."""
    document = answer.read_json()
    refused: dict[int, str] = {}
    if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY and isinstance(document, dict):
        for error in document.get("errors", []):
            if found := ITEM.fullmatch(str(error.get("field"))):
                told = f"{found[2] or 'the outcome'} {error.get('message')}"
                place = int(found[1])
                refused[place] = f"{refused[place]}; {told}" if place in refused else told
    if not refused:
        reason = document.get("detail") or document.get("message") if isinstance(document, dict) else None
        raise LiveError(f"the API refused the outcomes (status {answer.status}): {reason or 'it gave no reason'}")
    return refused
