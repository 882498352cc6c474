"""The rows of exported files that an erasure or an access request means."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import pyarrow.compute as pc

from lambda_app.maintain.exported import ExportedFiles, FileVersion

_MEANING = ["request_id", "created_at", "recorded_at", "subject", "caller", "batch_id"]


@dataclass(frozen=True)
class ExportedRow:
    """The values of a row by which it is meant or not.

    `time` is that by which it was exported. It is known to have been there at `first_time`, which is earlier if the
    clock of its writer was ahead. `id` is the request id of a prediction, or the id of an outcome, which has none of
    the other values.
    """

    id: UUID
    time: datetime
    first_time: datetime
    subject: str | None = None
    caller: str | None = None
    batch_id: UUID | None = None


def search_predictions(
    files: ExportedFiles, file: FileVersion, subject: str | None, request_id: UUID | None
) -> list[ExportedRow]:
    """Return the rows of a subject, or of a request."""
    if subject is not None:
        named, condition = ["subject"], pc.field("subject") == subject
    else:
        named = ["request_id", "batch_id"]
        condition = (pc.field("request_id") == str(request_id)) | (pc.field("batch_id") == str(request_id))
    # Most files have none, and one column is a small part of a file.
    if not files.read_rows(file, condition, named):
        return []
    return [
        ExportedRow(
            UUID(row["request_id"]),
            row["created_at"].astimezone(UTC),
            min(row["created_at"], row["recorded_at"]).astimezone(UTC),
            row["subject"],
            row["caller"],
            UUID(row["batch_id"]) if row["batch_id"] else None,
        )
        for row in files.read_rows(file, condition, _MEANING)
    ]


def search_outcomes(files: ExportedFiles, file: FileVersion, buried: frozenset[bytes]) -> list[ExportedRow]:
    """Return the outcomes of the requests with these digests."""
    found = [text for text in files.read_column(file, "request_id") if digest_request(UUID(text)) in buried]
    if not found:
        return []
    rows = files.read_rows(file, pc.field("request_id").isin(found), ["outcome_id", "reported_at"])
    return [ExportedRow(UUID(row["outcome_id"]), *[row["reported_at"].astimezone(UTC)] * 2) for row in rows]


def digest_request(request_id: UUID) -> bytes:
    """The digest of a request in the table of tombstones, as the function of that name in the database makes it."""
    return hashlib.sha256(f"request:{request_id}".encode()).digest()
