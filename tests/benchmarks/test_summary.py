"""The arithmetic of the benchmark, and its reports."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.measure import Samples, make_batch_event
from benchmarks.report import print_report, write_report
from benchmarks.summary import Goal, list_goals, summarise
from benchmarks.variant import VARIANTS
from lambda_app.http.schemas import BatchRequest
from problem.table import TABLE

COUNTS = {"cold": 3, "compared": 30, "uncached": 3, "warm": 1001, "batches": 3}


def make_samples(factor: float) -> Samples:
    return Samples(
        packages_mb=10 * factor,
        cold_ms=[100 * factor, 500 * factor, 200 * factor],
        cpu_s=[0.1 * factor, 0.3 * factor, 0.2 * factor, 0.4 * factor],
        cold_peak_mb=[40 * factor] * 3,
        uncached_ms=[300 * factor, 700 * factor, 600 * factor],
        files_read=int(100 * factor),
        read_mb=30 * factor,
        warm_ms=[factor * number for number in range(1, 1002)],
        peak_mb=50 * factor,
    )


@pytest.fixture
def samples() -> dict[str, Samples]:
    samples = {variant.name: make_samples(factor) for variant, factor in zip(VARIANTS, (1, 2, 3, 10, 16), strict=True)}
    samples["service"].batch_ms = {1: [3.0, 1.0, 2.0], 1000: [50.0, 70.0]}
    samples["service"].inference_ms = [0.03, 0.01, 0.02]
    return samples


@pytest.fixture
def figures(samples: dict[str, Samples]) -> dict[str, Any]:
    return {**summarise(samples), "counts": COUNTS, "machine": {"processor": "a processor", "cores": 2}}


def test_figures_are_medians_with_their_spread(figures: dict[str, Any]) -> None:
    assert figures["variants"]["service"] == {
        "cold_ms": 400,
        "uncached_ms": 1200,
        "warm_p50_ms": 1002,
        "warm_p99_ms": 1982,
        "cpu_s": pytest.approx(0.5),
        "rss_mb": 100,
        "packages_mb": 20,
        "files_read": 200,
        "read_mb": 60,
    }
    expected = {"min": 100, "q1": 150, "median": 200, "q3": 350, "max": 500}
    assert figures["spread"]["bare"]["cold_ms"] == expected
    assert figures["inference_ms"] == {"service": 0.02}
    assert figures["batch_ms"] == {"service": {"1": 2.0, "1000": 60.0}}


def test_ratios_and_goals(figures: dict[str, Any]) -> None:
    assert list(figures["variants"]) == ["bare", "service", "service-shadow", "service-tensorflow", "known"]
    assert figures["ratios"] == {
        "cold_service_to_bare": 2,
        "cold_known_to_service": 8,
        "warm_service_to_bare": 2,
        "cold_shadow_to_service": 1.5,
        "warm_shadow_to_service": 1.5,
        "uncached_service_to_bare": 2,
    }
    assert [(goal.value, goal.limit, goal.is_reached) for goal in list_goals(figures)] == [
        (2, 1.15, False),
        (2, 1.2, False),
        (8, 6, True),
        (2, 2.1, True),
        (100, 80, False),
        (1.5, 1.15, False),
        (150, 100, False),
        (20, 250, True),
    ]
    assert not Goal("", 5.9, 6, "", at_least=True).is_reached


def test_report_is_written_with_its_picture(figures: dict[str, Any], tmp_path: Path) -> None:
    write_report(tmp_path, figures)
    assert json.loads((tmp_path / "bench.json").read_bytes()) == figures
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")


def test_report_fits_a_terminal_and_marks_what_is_reached(figures: dict[str, Any]) -> None:
    output = io.StringIO()
    print_report(Console(file=output, width=80), figures)
    lines = output.getvalue().splitlines()
    [service] = [line.split() for line in lines if line.startswith("service ")]
    assert service[1:] == ["400", "300-700", "1200", "1002.00", "1982.00", "0.50", "100", "20", "0.02"]
    [known] = [line.split() for line in lines if line.startswith("known")]
    assert known[1:] == ["3200", "2400-5600", "9600", "8016.00", "15856.00", "4.00", "800", "160"]
    assert [line.split("│")[1].strip() for line in lines if "≤" in line or "≥" in line] == [
        *("✗", "✗", "✓", "✓", "✗", "✗", "✗", "✓")
    ]
    assert "A start of known reads 1,600 files, 480 MB" in lines
    assert "A start with a shadow takes 1.50 times as long as one without" in lines
    assert "Cases in one request to service: 2.0 ms for 1, 60.0 ms for 1,000" in lines


def test_a_report_without_root_says_that_a_figure_is_left_out(samples: dict[str, Samples]) -> None:
    for own in samples.values():
        own.uncached_ms.clear()
    figures = {**summarise(samples), "counts": COUNTS}
    output = io.StringIO()
    print_report(Console(file=output, width=80), figures)
    assert "Cold starts with an empty page cache are left out: only root can empty it." in output.getvalue()
    assert "empty" not in output.getvalue().splitlines()[0]
    assert len(list_goals(figures)) == 7
    [service] = [line.split() for line in output.getvalue().splitlines() if line.startswith("service ")]
    assert service[1:4] == ["400", "300-700", "1002.00"]


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_a_batch_has_so_many_cases(size: int) -> None:
    event = make_batch_event(size)
    assert len(getattr(BatchRequest.model_validate_json(event["body"]), TABLE.cases)) == size
    assert event["headers"]["content-length"] == str(len(event["body"]))
