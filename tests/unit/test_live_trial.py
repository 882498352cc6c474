"""A comparison in words: each verdict, with what it would take where there is none yet."""

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.reports import make_report
from tests.trials import CANDIDATE, make_canary, make_shadow
from training.live.compare import print_comparison, write_comparison
from training.live.page import make_page
from training.live.trial import describe_coverage, describe_trial, describe_verdict, format_change, list_figures


def show(trial: dict[str, Any], width: int) -> str:
    output = io.StringIO()
    print_comparison(Console(file=output, width=width), trial)
    return output.getvalue()


def test_better_and_worse_say_by_how_much() -> None:
    better = make_shadow(1_500, current=40)
    told = describe_verdict(better)
    assert told.startswith("BETTER: its mean absolute error is smaller by ")
    size = f"{-better['absolute_error']['difference']:.1f}"
    ends = f"({-better['absolute_error']['upper']:.1f} to {-better['absolute_error']['lower']:.1f})"
    assert told.endswith(f" by {size} {ends}.")
    worse = describe_verdict(make_shadow(1_500, current=1, candidate=40))
    assert worse.startswith("WORSE: its mean absolute error is larger by ")
    alike = describe_verdict(make_shadow(5_000, current=5, candidate=5))
    assert alike.startswith("AS GOOD: the mean absolute errors differ by less than ")


def test_unclear_says_how_many_outcomes_it_takes() -> None:
    seen = make_shadow(300, current=20)
    assert seen["absolute_error"]["needed"]["kind"] == "seen"
    told = describe_verdict(seen)
    assert told.startswith("CANNOT TELL YET: its mean absolute error is smaller by ")
    assert "so far. If the difference stays, it takes about " in told
    assert told.endswith(" outcomes, of which 300 are known.")
    few = describe_verdict(make_shadow(7))
    assert few == "CANNOT TELL YET: 7 outcomes are known, and 10 are needed."
    canary = describe_verdict(make_canary(200, 12))
    assert canary == "CANNOT TELL YET: 12 outcomes of each version are known, and 50 are needed."
    same = {**seen, "absolute_error": {**seen["absolute_error"], "difference": 0.0}}
    assert "its mean absolute error differs by less than 0.1 so far. " in describe_verdict(same)
    endless = {**seen, "absolute_error": {**seen["absolute_error"], "needed": None}}
    assert describe_verdict(endless).endswith("No number of outcomes that can be expected will tell.")
    large = {**seen, "absolute_error": None}
    assert describe_verdict(large) == "CANNOT TELL YET: an outcome is so large that the errors have no mean."


def test_the_trial_is_described_by_its_mode() -> None:
    assert "is a shadow of " in describe_trial(make_shadow(20))
    assert "for 100 % of the " in describe_trial(make_shadow(20))
    told = describe_trial(make_canary(200, 60))
    assert "answers for 5 % of the " in told
    assert "It gave 302 of 5,982 answers (5.05 %) since 2026-11-07. " in told


def test_coverage_is_told_beside_the_error() -> None:
    assert describe_coverage(make_shadow(5)) == "Too few outcomes tell how often the intervals hold the truth."
    assert "cannot be told yet" in describe_coverage(make_shadow(30))
    narrow = make_shadow(1_000)
    narrow["coverage"] |= {"verdict": "lower", "current": 0.9, "candidate": 0.85}
    told = "Its intervals hold the truth less often than those of the current version (85.0 % and 90.0 %)."
    assert describe_coverage(narrow) == told


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("trial", [make_shadow(1_500), make_shadow(5), make_canary(2_000, 120), make_canary(5, 0)])
def test_output_fits_the_terminal(trial: dict[str, Any], width: int) -> None:
    shown = show(trial, width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    for row in list_figures(trial):
        assert all(cell in shown for cell in row[1:])


def test_a_change_has_its_sign() -> None:
    assert [format_change(value, 1) for value in (1.25, -1.25, -0.01)] == ["+1.2", "\N{MINUS SIGN}1.2", "0.0"]


def test_json_and_plot_are_written(tmp_path: Path) -> None:
    document, plot = write_comparison(tmp_path / "new", make_shadow(1_500))
    assert document.read_text(encoding="utf-8").startswith('{\n  "model_version": "')
    assert plot.read_bytes().startswith(b"\x89PNG")
    # Without outcomes there is nothing to draw, and the plot of another comparison goes.
    assert write_comparison(tmp_path / "new", make_shadow(5)) == [document]
    assert not plot.exists()


def test_page_of_the_report_has_the_candidate() -> None:
    without = make_page(make_report())
    assert "Candidate" not in without
    page = make_page({**make_report(), "candidate": make_shadow(1_500)})
    assert f"<h2>Candidate {CANDIDATE}</h2>" in page
    assert page.count("data:image/svg+xml;base64,") == without.count("data:image/svg+xml;base64,") + 1
    assert "Mean absolute error" in page
    make_page({**make_report(), "candidate": make_canary(5, 0)})
