"""The schema, as numbered SQL files and columns for the features of `problem/`, and what applies it."""

import hashlib
import re
from importlib import resources

import pg8000.native

from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE, REPLAY_ROLE
from problem.table import TABLE

# Any constant does: it names the lock that keeps two migrations apart.
_LOCK_KEY = 4420

_CREATE_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

# By what the files call them.
_ROLES = {
    "api": API_ROLE,
    "replay": REPLAY_ROLE,
    "maintain": MAINTAIN_ROLE,
    "monitor": MONITOR_ROLE,
    "reader": READER_ROLE,
}


class MigrationError(Exception):
    """The database has another history than this code, or a column that does not suit a feature."""


def apply_migrations(connection: pg8000.native.Connection) -> list[str]:
    """Apply what is missing, in order, inside the caller's transaction.

    Returns the names applied, and what was done to columns that were there before or should have been.

    Safe to run twice and at once: the lock lasts until the transaction ends, and all of it commits or none.
    """
    connection.run(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})")
    connection.run(_CREATE_HISTORY)
    history = dict(connection.run("SELECT name, sha256 FROM schema_migrations") or [])
    scripts = _read_scripts()
    if unknown := history.keys() - scripts.keys():
        raise MigrationError(f"the database is ahead of this code: it has {', '.join(sorted(unknown))}")
    applied = []
    for name, script in scripts.items():
        digest = hashlib.sha256(script.encode()).hexdigest()
        if name not in history:
            connection.run(_insert_roles(script))
            connection.run(
                "INSERT INTO schema_migrations (name, sha256) VALUES (:name, :sha256)", name=name, sha256=digest
            )
            applied.append(name)
        elif history[name] != digest:
            raise MigrationError(f"{name} was changed after it had been applied")
    # Only the function migrate pays for it.
    from lambda_app.log.migrations.columns import reconcile_columns  # noqa: PLC0415

    return applied + reconcile_columns(connection, TABLE, is_new=not history)


def _insert_roles(script: str) -> str:
    """The script with the roles' names for :"api" (an identifier) and :'api' (a literal), as psql has it."""
    script = re.sub(r':"(\w+)"', lambda match: pg8000.native.identifier(_ROLES[match[1]]), script)
    return re.sub(r":'(\w+)'", lambda match: pg8000.native.literal(_ROLES[match[1]]), script)


def _read_scripts() -> dict[str, str]:
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")]
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)}
