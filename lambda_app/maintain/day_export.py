"""Writes the rows of one day of a table as Parquet files."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import pg8000.native
from botocore.exceptions import BotoCoreError, ClientError

from lambda_app.maintain.files import RecordsBucket
from lambda_app.maintain.manifest import Manifest, Part, part_key
from lambda_app.maintain.parquet import FileWriter, ParquetFile, make_schema
from lambda_app.maintain.tables import ExportedTable
from lambda_app.tasks import TaskFailedError, describe_failure

_LIST_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
"""
_LIST_PATHS = "SELECT DISTINCT {path} FROM {table} WHERE {rows} ORDER BY 1"
_COPY = "COPY (SELECT {columns} FROM {table} WHERE {rows}) TO STDOUT (FORMAT csv)"
# As text, because COPY takes no parameters.
_ROWS = "{time} >= {first} AND {time} < {next} AND recorded_at > {since} AND recorded_at <= {until}"


class DayExport:
    """Writes the rows of a day that were recorded between two times, for each value of the path by itself."""

    def __init__(
        self,
        connection: pg8000.native.Connection,
        bucket: RecordsBucket,
        table: ExportedTable,
        manifest: Manifest,
        since: str,
        until: datetime,
    ) -> None:
        self._connection = connection
        self._bucket = bucket
        self._table = table
        self._manifest = manifest
        self._parts: list[Part] = []
        times = {
            "first": f"{manifest.date}T00:00Z",
            "next": f"{manifest.date + timedelta(days=1)}T00:00Z",
            "since": since,
            "until": until.isoformat(),
        }
        literals = {name: pg8000.native.literal(time) for name, time in times.items()}
        self._rows = _ROWS.format(time=table.time_column, **literals)

    def write_files(self) -> list[Part]:
        """Store the files; they count when the manifest names them."""
        [[now]] = self._connection.run("SELECT now()")
        table = self._table
        columns: dict[str, str] = dict(self._connection.run(_LIST_COLUMNS, table=table.name))
        columns = {name: kind for name, kind in columns.items() if name not in table.hidden_columns}
        if table.path_column is None:
            self._write_path(None, self._rows, columns, now)
            return self._parts
        del columns[table.path_column]
        paths = _LIST_PATHS.format(path=table.path_column, table=table.name, rows=self._rows)
        for [path] in self._connection.run(paths):
            rows = f"{self._rows} AND {table.path_column} = {pg8000.native.literal(path)}"
            self._write_path(path, rows, columns, now)
        return self._parts

    def _write_path(self, path: str | None, rows: str, columns: Mapping[str, str], now: datetime) -> None:
        directory = self._table.name_directory(path)
        number = self._manifest.find_free_number(directory)

        def upload(file: ParquetFile) -> None:
            nonlocal number
            key = part_key(directory, self._manifest.date, number)
            try:
                self._bucket.upload(file, key)
            except (BotoCoreError, ClientError) as error:
                # Not a failure of the database, within whose statement it happens.
                raise TaskFailedError(describe_failure(error)) from error
            self._parts.append(Part(key, path, file.rows, file.bytes, file.sha256, file.ids, now))
            number += 1

        names = ", ".join(pg8000.native.identifier(name) for name in columns)
        with FileWriter(make_schema(columns), self._table.id_column, upload) as writer:
            self._connection.run(_COPY.format(columns=names, table=self._table.name, rows=rows), stream=writer)
