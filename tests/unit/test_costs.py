"""docs/costs.md computes with its own prices and with the settings of the environments."""

import math
import re
from fractions import Fraction
from pathlib import Path

import pytest

from tests.environments import read_settings

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
HOURS = 730
SECONDS = HOURS * 3600

# By price: for each environment the quantity and the cost, as they are written.
Table = dict[str, dict[str, tuple[str, str]]]


def read_section(title: str) -> list[list[str]]:
    """The rows of the table of a section."""
    text = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")
    lines = text.split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()
    return [[cell.strip(" `*") for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")][2:]


def read_table(title: str) -> tuple[Table, dict[str, str]]:
    """The lines of a table, and its sums."""
    *rows, last = read_section(title)
    table = {row[1]: dict(zip(ENVIRONMENTS, zip(row[2::2], row[3::2], strict=True), strict=True)) for row in rows}
    assert len(table) == len(rows)
    return table, dict(zip(ENVIRONMENTS, last[3::2], strict=True))


def multiply(quantity: str) -> float:
    return math.prod(float(Fraction(factor.strip())) for factor in quantity.split("×"))  # noqa: RUF001 - as people write it


@pytest.mark.parametrize("title", ["A month without requests", "A million predictions"])
def test_each_line_is_quantity_times_price_and_the_sum_is_theirs(title: str) -> None:
    prices = {row[0]: float(row[1]) for row in read_section("Unit prices")}
    table, sums = read_table(title)
    for environment in ENVIRONMENTS:
        for price, cells in table.items():
            quantity, cost = cells[environment]
            assert f"{multiply(quantity) * prices[price]:.2f}" == cost, f"{price} in {environment}"
        assert f"{sum(float(cells[environment][1]) for cells in table.values()):.2f}" == sums[environment]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_quantities_are_those_of_the_environment(environment: str) -> None:
    inputs = read_settings(environment)
    month = {
        price: multiply(cells[environment][0]) for price, cells in read_table("A month without requests")[0].items()
    }
    instances = 2 if inputs["multi_az"] == "true" else 1
    memory_gb = int(inputs["memory_mb"]) / 1024
    assert {price: hours for price, hours in month.items() if price.startswith("db.") and hours} == {
        inputs["instance_class"]: instances * HOURS
    }
    assert month["storage_gb"] == instances * int(inputs["allocated_storage_gb"])
    assert month["provisioned_gb_second"] == int(inputs["provisioned_concurrency"]) * memory_gb * SECONDS
    every = re.fullmatch(r"rate\((\d+) minutes\)", inputs.get("keep_warm_schedule", ""))
    requests = HOURS * 60 / int(every[1]) if every else 0
    assert month["gb_second"] == pytest.approx(requests * 0.01 * memory_gb)
    million = {
        price: multiply(cells[environment][0]) for price, cells in read_table("A million predictions")[0].items()
    }
    assert million["gb_second"] == pytest.approx(1_000_000 * 0.03 * memory_gb)
    assert million["log_storage_gb"] == pytest.approx(1.4 * int(inputs["log_retention_days"]) / 30)
    assert million["storage_gb"] == instances * 0.5
    assert bool(million["traces_million"]) == (inputs["tracing_enabled"] == "true")
