"""Erases rows of exported files, with all their old versions. A search that was killed goes on with its last file."""

from collections.abc import Callable

from lambda_app.maintain.exported import ExportedFiles, FileVersion
from lambda_app.maintain.exported_rows import ExportedRow, search_outcomes, search_predictions
from lambda_app.maintain.holds import Holds
from lambda_app.maintain.open_erasure import Erasure, Progress
from lambda_app.maintain.tables import OUTCOMES, PREDICTIONS, ExportedTable
from lambda_app.maintain.verification import read_sound_manifest
from lambda_app.tasks import TaskFailedError

_BEGIN_FILE = """
UPDATE erasures SET searched_file = :key, exported_rows = exported_rows + :count, is_held = is_held OR :held
WHERE id = :id
"""
_NOTE_FAULT = "UPDATE erasures SET has_fault = true WHERE id = :id"


def erase_exported_predictions(erasure: Erasure, progress: Progress, faults: list[str]) -> None:
    """Erase the rows that are meant, and bury them. Adds a fault for each file that is passed over."""
    if (erasure.searched_file or "").startswith(OUTCOMES.prefix):
        # An earlier call has come further.
        return

    def search(files: ExportedFiles, file: FileVersion) -> list[ExportedRow]:
        rows = search_predictions(files, file, erasure.subject, erasure.request_id)
        return [row for row in rows if erasure.means(row.id, row.batch_id, row.subject, row.first_time)]

    def bury(gone: list[ExportedRow]) -> None:
        progress.bury(erasure, [row.id for row in gone], [row.batch_id for row in gone])

    faults += _erase_rows(erasure, progress, PREDICTIONS, search, bury)


def erase_exported_outcomes(erasure: Erasure, progress: Progress, faults: list[str]) -> None:
    """Erase the outcomes of requests that are buried. Adds a fault for each file that is passed over."""
    buried = progress.find_buried(erasure)
    faults += _erase_rows(
        erasure, progress, OUTCOMES, lambda files, file: search_outcomes(files, file, buried), lambda _gone: None
    )


def _erase_rows(
    erasure: Erasure,
    progress: Progress,
    table: ExportedTable,
    search: Callable[[ExportedFiles, FileVersion], list[ExportedRow]],
    bury: Callable[[list[ExportedRow]], None],
) -> list[str]:
    tools = progress.tools
    files = ExportedFiles(tools.s3, tools.settings.records_bucket, table)
    holds = Holds()
    searched = erasure.searched_file or ""
    first_key = searched if searched.startswith(table.prefix) else ""

    def erase(file: FileVersion) -> bool:
        """Return True if no other version of the file is left."""
        rows = search(files, file)
        if not rows:
            return False
        manifest = read_sound_manifest(tools, table, file.day)
        part = manifest.find_part(file.key)
        # Anew for each file, because a search takes long.
        tools.database.run_statement(holds.read)
        gone = [row for row in rows if not holds.keep(row.id, row.subject, row.caller, row.time)]
        ids = [row.id for row in gone]
        if not file.is_current or part is None:
            # An old version, or what an interrupted run has left, perhaps with an old manifest.
            files.delete_old_manifests(file.day)
            if file.is_current and file.key == first_key:
                # Its work had begun, so another file has its other rows.
                files.delete(file)
                return True
            if gone:
                files.remove_rows(file, manifest, ids)
            return file.is_current and bool(gone)
        if gone:
            files.require_intact(part)
        # Before the work, and once: the same file again was counted.
        count = len(gone) if file.key > first_key else 0
        progress.select(_BEGIN_FILE, key=file.key, count=count, held=len(gone) < len(rows))
        if gone:
            bury(gone)
            files.replace(file, manifest, ids)
            files.delete(file)
        return bool(gone)

    faults = []
    finished = None
    for file in files.list_versions(first_key):
        progress.require_time()
        if file.key == finished:
            continue
        try:
            if erase(file):
                finished = file.key
        except TaskFailedError as error:
            progress.select(_NOTE_FAULT)
            faults.append(str(error))
    progress.note_kept("exported_rows", holds.count_kept())
    return faults
