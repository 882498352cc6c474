"""Erases rows of exported files, with all their old versions. A search that was killed goes on with its last file."""

from collections.abc import Callable

from lambda_app.maintain.exported import ExportedFiles, FileVersion
from lambda_app.maintain.exported_rows import ExportedRow, search_outcomes, search_predictions
from lambda_app.maintain.holds import Holds
from lambda_app.maintain.open_erasure import Erasure, Progress
from lambda_app.maintain.tables import OUTCOMES, PREDICTIONS, ExportedTable

_BEGIN_FILE = """
UPDATE erasures SET searched_file = :key, exported_rows = exported_rows + :count, is_held = is_held OR :held
WHERE id = :id
"""


def erase_exported_predictions(erasure: Erasure, progress: Progress) -> None:
    """Erase the rows that are meant, and bury them."""
    if (erasure.searched_file or "").startswith(OUTCOMES.prefix):
        # An earlier call has come further.
        return

    def search(files: ExportedFiles, file: FileVersion) -> list[ExportedRow]:
        rows = search_predictions(files, file, erasure.subject, erasure.request_id)
        return [row for row in rows if erasure.means(row.id, row.batch_id, row.subject, row.first_time)]

    def bury(gone: list[ExportedRow]) -> None:
        progress.bury(erasure, [row.id for row in gone], [row.batch_id for row in gone])

    _erase_rows(erasure, progress, PREDICTIONS, search, bury)


def erase_exported_outcomes(erasure: Erasure, progress: Progress) -> None:
    """Erase the outcomes of requests that are buried."""
    buried = progress.find_buried(erasure)
    _erase_rows(
        erasure, progress, OUTCOMES, lambda files, file: search_outcomes(files, file, buried), lambda _gone: None
    )


def _erase_rows(
    erasure: Erasure,
    progress: Progress,
    table: ExportedTable,
    search: Callable[[ExportedFiles, FileVersion], list[ExportedRow]],
    bury: Callable[[list[ExportedRow]], None],
) -> None:
    tools = progress.tools
    files = ExportedFiles(tools.s3, tools.settings.records_bucket, table)
    holds = Holds()
    searched = erasure.searched_file or ""
    first_key = searched if searched.startswith(table.prefix) else ""
    for file in files.list_versions(first_key):
        progress.require_time()
        rows = search(files, file)
        is_exported = bool(rows) and files.is_exported(file)
        if not is_exported:
            # An old version, or what an interrupted run has left.
            if rows:
                files.delete_version(file)
            continue
        # Anew for each file, because a search takes long.
        tools.database.run_statement(holds.read)
        gone = [row for row in rows if not holds.keep(row.id, row.subject, row.caller, row.time)]
        # Before the work, and once: the same file again was counted.
        count = len(gone) if file.key > first_key else 0
        progress.select(_BEGIN_FILE, key=file.key, count=count, held=len(gone) < len(rows))
        if gone:
            bury(gone)
            files.replace(file, [row.id for row in gone])
            files.delete(file)
    progress.note_kept("exported_rows", holds.count_kept())
