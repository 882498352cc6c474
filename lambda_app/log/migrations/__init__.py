"""The schema, as numbered SQL files, and what applies them."""

import hashlib
from importlib import resources

import pg8000.native

# Any constant does: it names the lock that keeps two migrations apart.
_LOCK_KEY = 4420

_CREATE_HISTORY = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationError(Exception):
    """A migration that was applied is not the one in the code, or is missing from it."""


def apply_migrations(connection: pg8000.native.Connection) -> list[str]:
    """Apply what is missing, in order, inside the caller's transaction; returns the names applied.

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
            connection.run(script)
            connection.run(
                "INSERT INTO schema_migrations (name, sha256) VALUES (:name, :sha256)", name=name, sha256=digest
            )
            applied.append(name)
        elif history[name] != digest:
            raise MigrationError(f"{name} was changed after it had been applied")
    return applied


def _read_scripts() -> dict[str, str]:
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".sql")]
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(files, key=lambda file: file.name)}
