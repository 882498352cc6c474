"""The tables that are exported: predictions and outcomes, each with what its export has of its own."""

from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class ExportedTable:
    """A table whose rows leave as files, by the day of `time_column` in UTC.

    `id_column` is its key. A file has the rows of one value of `path_column`, if there is one, which is then in the
    path and not in the file. `verify` compares a day with its export. `find_verification` tells the time, until when
    that was done, and whether the export ever had rows. `find_removal` tells when rows of a day were last deleted
    by the retention, and until when the deleted ones had been recorded.
    """

    name: str
    id_column: str
    time_column: str
    path_column: str | None
    hidden_columns: frozenset[str]
    verify: str
    find_verification: str
    find_removal: str

    @property
    def prefix(self) -> str:
        """Of the keys of its files."""
        return f"{self.name}/"

    @property
    def manifests(self) -> str:
        """The prefix of the keys of its manifests."""
        return f"manifests/{self.name}/"

    def name_directory(self, path_value: str | None) -> str:
        """The prefix of the keys of the files with this value of `path_column`."""
        return self.prefix if path_value is None else f"{self.prefix}{self.path_column}={quote(path_value, safe='')}/"


PREDICTIONS = ExportedTable(
    name="predictions",
    id_column="request_id",
    time_column="created_at",
    path_column="model_version",
    hidden_columns=frozenset(),
    verify="SELECT row_count, is_same FROM verify_day(:day, :until, :rows, CAST(:ids AS bigint[]))",
    find_verification="""
        SELECT now(), max(recorded_until), coalesce(bool_or(has_export), false) FROM verified_days WHERE day = :day
    """,
    find_removal="""
        SELECT max(detached_at), '-infinity' FROM dropped_months
        WHERE month = date_trunc('month', CAST(:day AS timestamp))
    """,
)
OUTCOMES = ExportedTable(
    name="outcomes",
    id_column="outcome_id",
    time_column="reported_at",
    path_column=None,
    # It is found later, and files do not change.
    hidden_columns=frozenset({"predicted_at"}),
    verify="SELECT row_count, is_same FROM verify_outcomes(:day, :until, :rows, CAST(:ids AS bigint[]))",
    find_verification="""
        SELECT now(), max(recorded_until), coalesce(bool_or(has_export), false)
        FROM verified_outcome_days WHERE day = :day
    """,
    find_removal="""
        SELECT max(expired_at), coalesce(CAST(max(expired_until) AS text), '-infinity')
        FROM verified_outcome_days WHERE day = :day
    """,
)
TABLES = {table.name: table for table in (PREDICTIONS, OUTCOMES)}
