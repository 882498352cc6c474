"""The names that no feature may have, against the database that would have to take them."""

from collections.abc import Callable
from typing import Any

from lambda_app.table import RECORD_NAMES, SQL_WORDS
from problem.table import TABLE


def test_words_that_are_refused_are_those_that_postgresql_reserves(query: Callable[..., list[Any]]) -> None:
    # R and T: reserved, and reserved but for functions and types.
    reserved = query("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')")
    assert {word for [word] in reserved} == SQL_WORDS


def test_every_column_beside_the_features_is_reserved(query: Callable[..., list[Any]]) -> None:
    columns = query("SELECT column_name FROM information_schema.columns WHERE table_name = 'predictions'")
    assert {name for [name] in columns} - set(TABLE.names) <= RECORD_NAMES
