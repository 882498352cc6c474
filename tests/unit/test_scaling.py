"""docs/scaling.md computes with its own inputs, and those are prod's."""

import math
from pathlib import Path

import pytest

from tests.environments import read_settings

ROOT = Path(__file__).parents[2]
MIGRATE_CONCURRENCY = 1
PROXY_SHARE = 0.9


def read_rows(heading: str) -> list[list[str]]:
    """The rows of the table whose heading begins like this."""
    text = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    table = text[text.index(f"\n| {heading} |") :].strip().split("\n\n")[0]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_inputs_are_those_of_prod() -> None:
    inputs = {row[0]: row[1] for row in read_rows("Input") if "settings of prod" in row[2]}
    assert inputs
    prod = read_settings("prod")
    assert inputs == {name: prod[name] for name in inputs}


def test_each_load_is_computed_from_the_inputs() -> None:
    inputs = {row[0]: float(row[1]) for row in read_rows("Input")}
    loads = read_rows("Requests/s")
    assert loads
    for load, *cells in loads:
        rate = float(load.replace(",", ""))
        gb_a_day = rate * inputs["bytes_per_row"] * 86400 / 1e9
        assert cells == [
            f"{rate * inputs['request_ms'] / 1000:.0f}",
            f"{rate / inputs['requests_per_environment']:.0f}",
            f"{rate * inputs['database_cpu_ms'] / 1000:.1f}",
            f"{rate * inputs['wal_kb_per_row'] / 1000:.1f}",
            f"{gb_a_day:.1f}",
            f"{inputs['max_allocated_storage_gb'] / gb_a_day:.0f}",
        ]


@pytest.mark.parametrize("row", read_rows("Environment"), ids=lambda row: row[0])
def test_functions_are_fewer_than_the_connections_of_the_proxy(row: list[str]) -> None:
    name, instance_class, memory_gib, connections, for_proxy, functions = row
    environment = read_settings(name)
    most = min(math.floor(int(memory_gib) * 2**30 / 9531392), 5000)
    assert instance_class == environment["instance_class"]
    assert int(connections) == most
    assert int(for_proxy) == math.floor(most * PROXY_SHARE)
    concurrency = int(environment["api_reserved_concurrency"]) + int(environment["replay_concurrency"])
    assert int(functions) == concurrency + MIGRATE_CONCURRENCY
    assert int(functions) < int(for_proxy)
