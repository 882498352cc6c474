"""Writes the monitor's report as one HTML file that needs no other file and no network."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from problem.table import TABLE
from training.live.drawings import draw_coverage, draw_delays, draw_drift, draw_errors, draw_evidence
from training.live.report import Report, describe_coverage_odds, describe_drift_odds, find_alarms
from training.live.tables import (
    FIGURES,
    choose_decimals,
    describe_outcomes,
    describe_third,
    format_estimate,
    format_value,
    list_third,
)
from training.live.trial import (
    HEAD,
    Trial,
    describe_coverage,
    describe_guarantee,
    describe_predictions,
    describe_trial,
    describe_verdict,
    list_differences,
    list_figures,
)
from training.live.trial_drawing import draw_trial
from training.rounding import format_figure

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2937; background: #fff; max-width: 64rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 0.6rem; }
p { margin: 0.4rem 0; max-width: 48rem; } .note { color: #4b5563; }
.alarm { border-left: 6px solid #d9730d; background: #fef3e7; padding: 0.6rem 1rem; margin: 0.8rem 0; }
.calm { border-left: 6px solid #3f8f5b; background: #eef7f0; padding: 0.6rem 1rem; margin: 0.8rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 0.8rem 0; }
caption { text-align: left; font-weight: 600; padding: 0.2rem 0; }
th, td { padding: 0.25rem 0.9rem; border-bottom: 1px solid #e5e7eb; text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
img { display: block; width: 100%; min-width: 40rem; height: auto; margin: 1rem 0; }
"""


def write_page(path: Path, report: Report) -> None:
    """Write the page, and its directory if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(make_page(report), encoding="utf-8")


def make_page(report: Report) -> str:
    """Return the page: alarms, figures and plots of each version, and drift."""
    title = f"How the model is doing: {TABLE.title}"
    alarms = [f'<div class="alarm"><strong>Alarm.</strong> {escape(alarm)}</div>' for alarm in find_alarms(report)]
    versions = sorted(report["versions"], key=lambda entry: not entry["is_current"])
    time = f"{report['generated_at'][:16].replace('T', ' ')} UTC"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="note">Report of {time}. {escape(TABLE.notice)}</p>',
        *(alarms or ['<div class="calm">No alarm.</div>']),
        *(_describe_candidate(report["candidate"]) if report.get("candidate") else ()),
        *(part for version in versions for part in _describe_version(version, report)),
        *_describe_drift(report),
    ]
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>\n'
        f"<body>\n{chr(10).join(body)}\n</body></html>\n"
    )


def _describe_version(version: Mapping[str, Any], report: Report) -> Iterator[str]:
    title = "Current version" if version["is_current"] else "Version"
    yield f"<h2>{title} {escape(version['model_version'])}</h2>"
    made = version["predictions"]
    yield (
        f"<p>{made['count']:,} predictions from {made['from'][:10]} to {made['to'][:10]}, {made['with_outcome']:,} of "
        "them with an outcome.</p>"
    )
    due = version["due"]
    if due and due["count"]:
        yield (
            f"<p>Of those that had time for it, {due['with_outcome']:,} of {due['count']:,} have an outcome "
            f"({100 * due['with_outcome'] / due['count']:.0f} %). If these are not like the others, no figure "
            "here holds for all.</p>"
        )
    if expected := version["expected"]:
        yield (
            f"<p>For {expected['count']:,} predictions without an outcome, the intervals expect an absolute error of "
            f"{format_figure(expected['mae'], 3)}.</p>"
        )
    if not version["live"]:
        yield "<p>No figures yet: too few outcomes.</p>"
        return
    decimals = choose_decimals(version)
    yield _make_table(
        describe_outcomes(version),
        ("", "Live", "95 % interval", "Promised"),
        [
            (
                title,
                *format_estimate(name, version["live"][name], decimals),
                format_value(name, (version["promised"] or {}).get(name), decimals),
            )
            for name, title in FIGURES.items()
        ],
    )
    if version["thirds"]:
        names = ("mae", "bias", "coverage", "mean_width")
        yield _make_table(
            "By thirds of the prediction; in brackets what was promised",
            ("Prediction", "Made", "Known", "MAE", "Bias", "Coverage", "Mean width"),
            [(describe_third(third), *list_third(third, names, decimals)) for third in version["thirds"]],
        )
        days = report["settings"]["window_days"]
        yield (
            f'<p class="note">Made: the predictions of the last {days} days. Known: those of them with an outcome. The '
            "other columns are of the outcomes above.</p>"
        )
    if version["over_time"]:
        yield _embed(draw_errors(version), "Mean absolute error of consecutive outcomes, beside the promise")
        yield _embed(draw_coverage(version, report["settings"]), "Coverage of consecutive outcomes, beside the promise")
    if version["sentinel"]:
        yield _embed(draw_evidence(version["sentinel"]), "Evidence against the promised coverage, with the threshold")
        yield f'<p class="note">{escape(describe_coverage_odds(report))}</p>'
    if version["delay_days"]:
        yield _embed(draw_delays(version["delay_days"]), "Histogram of the days until an outcome is observed")


def _describe_candidate(trial: Trial) -> Iterator[str]:
    yield f"<h2>Candidate {escape(trial['model_version'])}</h2>"
    yield f"<p>{escape(describe_trial(trial))}</p>"
    yield f"<p><strong>{escape(describe_verdict(trial))}</strong> {escape(describe_coverage(trial))}</p>"
    if figures := list_figures(trial):
        yield _make_table("Candidate beside the current version", HEAD, figures)
    if differences := list_differences(trial):
        yield _make_table("Candidate minus current prediction", differences[0], differences[1:])
    yield f"<p>{escape(' '.join(describe_predictions(trial)))}</p>"
    figure = draw_trial(trial)
    if figure is not None:
        yield _embed(figure, "Candidate minus current after each outcome, with intervals that hold at all looks")
    yield f'<p class="note">{escape(describe_guarantee(trial))}</p>'


def _describe_drift(report: Report) -> Iterator[str]:
    yield "<h2>Drift: new data beside those of the training</h2>"
    drift = report["drift"]
    if not drift or not drift["tests"]:
        yield f"<p>Drift was not tested: {escape(str(report['note']))}.</p>"
        return
    yield (
        f"<p>{drift['cases']:,} {TABLE.cases} from {drift['from'][:10]} to {drift['to'][:10]}; of several predictions "
        "for one subject the newest counts.</p>"
    )
    yield _embed(draw_drift(drift), "Shares of the cases in each bin: training, and the window on top of it")
    odds = describe_drift_odds(report["settings"]["drift_false_alarms_per_year"])
    yield (
        f'<p class="note">A column drifts if its adjusted p is below {drift["alpha"]:.2g} and the difference is large '
        f"enough to matter (Cramér's V, at least the value in brackets). {escape(odds)}</p>"
    )
    rows = [
        (
            f"{test['name']}{' (drift)' if test['is_drift'] else ''}",
            f"{test['adjusted_p']:.2g}",
            f"{test['cramers_v']:.2f} ({test['least_v']:.2f})",
            f"{test['psi']:.2f}",
        )
        for test in sorted(drift["tests"], key=lambda entry: entry["adjusted_p"])
    ]
    yield _make_table("Tests", ("Column", "Adjusted p", "Cramér's V", "PSI"), rows)


def _make_table(caption: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><caption>{escape(caption)}</caption><tr>{heads}</tr>{lines}</table></div>'


def _embed(figure: Figure, description: str) -> str:
    """The figure as an image of its own, so that the names inside several of them do not meet."""
    content = io.BytesIO()
    figure.savefig(content, format="svg", metadata={"Date": None})
    data = base64.b64encode(content.getvalue()).decode()
    return f'<div class="wide"><img alt="{escape(description)}" src="data:image/svg+xml;base64,{data}"></div>'
