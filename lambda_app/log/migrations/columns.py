"""The columns of `predictions` that follow from problem/table.py: one for each feature, with its check and comment."""

import re

import pg8000.native

from lambda_app.log.migrations import MigrationError
from lambda_app.log.store import FEATURE_TYPES
from lambda_app.table import RECORD_NAMES, Feature, Kind, Table

_FIND_COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod), attnotnull AND NOT atthasdef, pg_get_constraintdef(pg_constraint.oid)
FROM pg_attribute
LEFT JOIN pg_constraint ON conrelid = attrelid AND conname = CAST(format('predictions_%s_choices', attname) AS name)
WHERE attrelid = CAST('predictions' AS regclass) AND attnum > 0 AND NOT attisdropped
"""


def reconcile_columns(connection: pg8000.native.Connection, table: Table, *, is_new: bool) -> list[str]:
    """Give `predictions` a column for each feature, inside the caller's transaction; returns what changed.

    Where the table is not new, a column that is added may be null: older rows have no value for it. The column of a
    former feature stays, and may be null from then on. MigrationError for a feature whose column has another type.
    """
    columns = {name: rest for name, *rest in connection.run(_FIND_COLUMNS) or []}
    changes = []
    for feature in table.features:
        kind = FEATURE_TYPES[feature.kind]
        existing, _, check = columns.get(feature.name, (None, None, None))
        if existing is None:
            _alter(connection, f"ADD COLUMN {feature.name} {kind} {'NOT NULL' if is_new else ''}")
            changes.append(f"added the column {feature.name}")
        elif existing != kind:
            raise MigrationError(
                f"the column {feature.name} is {existing}, but the feature needs {kind}: give the feature another name"
            )
        if _read_choices(check) != set(feature.choices):
            _replace_choices(connection, feature, exists=check is not None)
            changes += [] if existing is None else [f"changed the choices of the column {feature.name}"]
        _comment(connection, feature.name, _describe(feature))
    for name, (_, is_required, _) in columns.items():
        if is_required and name not in RECORD_NAMES and name not in table.names:
            # New rows have no value for it.
            _alter(connection, f"ALTER COLUMN {pg8000.native.identifier(name)} DROP NOT NULL")
            changes.append(f"kept the column {name} of a former feature")
    _comment(connection, "prediction", _add_unit(table.target.meaning, table.target.unit))
    return [] if is_new else changes


def _replace_choices(connection: pg8000.native.Connection, feature: Feature, *, exists: bool) -> None:
    constraint = f"predictions_{feature.name}_choices"
    if exists:
        _alter(connection, f"DROP CONSTRAINT {constraint}")
    if feature.choices:
        codes = ", ".join(str(code) for code in feature.choices)
        # Older rows may hold a code that is no longer a choice.
        _alter(connection, f"ADD CONSTRAINT {constraint} CHECK ({feature.name} IN ({codes})) NOT VALID")


def _read_choices(check: str | None) -> set[int]:
    """The codes of a check as PostgreSQL writes it: CHECK ((name = ANY (ARRAY[1, 2]))) NOT VALID."""
    return {int(code) for code in re.findall(r"-?\d+", (check or "").rpartition("ARRAY[")[2])}


def _describe(feature: Feature) -> str:
    if feature.kind is Kind.CHOICES:
        return f"{feature.meaning} ({', '.join(f'{code}: {label}' for code, label in feature.choices.items())})"
    return _add_unit(feature.meaning, feature.unit)


def _add_unit(meaning: str, unit: str) -> str:
    return f"{meaning} ({unit})" if unit else meaning


def _alter(connection: pg8000.native.Connection, change: str) -> None:
    connection.run(f"ALTER TABLE predictions {change}")


def _comment(connection: pg8000.native.Connection, name: str, text: str) -> None:
    # Escapes are the same in every encoding of a client, and whatever standard_conforming_strings says.
    escaped = "".join(c if (c.isascii() and c.isalnum()) or c in " ,.()/" else f"\\U{ord(c):08X}" for c in text)
    connection.run(f"COMMENT ON COLUMN predictions.{name} IS E'{escaped}'")
