"""Says in words how a candidate compares with the current version: the verdicts, and the rows of a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from problem.table import TABLE
from training.live.tables import DIGITS, NOTHING
from training.rounding import count_decimals, format_figure

Trial = Mapping[str, Any]
Row = tuple[str, ...]

HEAD: Row = ("", "Current", "Candidate", "Difference", "Interval")
VERDICTS = {"better": "BETTER", "worse": "WORSE", "alike": "AS GOOD", "unclear": "CANNOT TELL YET"}
_OFTEN = {"higher": "more often than", "lower": "less often than", "alike": "as often as"}
_PLACES = {"p50": "median", "p95": "95 %", "p99": "99 %"}
MINUS = "\N{MINUS SIGN}"


def describe_trial(trial: Trial) -> str:
    """How the candidate is tried, and since when."""
    share, since = f"{100 * trial['share']:.3g} % of the {TABLE.cases}", f"{trial['since'][:16].replace('T', ' ')} UTC"
    made = trial["predictions"]
    if trial["mode"] == "shadow":
        return (
            f"{trial['model_version']} is a shadow of {trial['current_version']} for {share}. "
            f"{made['pairs']:,} predictions of both since {_day(trial)}, and {trial['outcomes']['pairs']:,} outcomes "
            f"since {since}."
        )
    counts = f"{made['candidate']['count']:,} of {made['candidate']['count'] + made['current']['count']:,} answers"
    answered = "" if made["candidate_share"] is None else f" ({100 * made['candidate_share']:.3g} %)"
    known = trial["outcomes"]
    return (
        f"{trial['model_version']} answers for {share} in a canary beside {trial['current_version']}. "
        f"It gave {counts}{answered} since {_day(trial)}. Since {since} {known['candidate']:,} outcomes of its answers "
        f"are known, and {known['current']:,} of the others."
    )


def describe_verdict(trial: Trial) -> str:
    """The verdict on the errors, and when there will be one."""
    return f"{VERDICTS[trial['verdict']]}: {_judge_error(trial)}"


def describe_coverage(trial: Trial) -> str:
    """The verdict on the intervals."""
    found = trial["coverage"]
    if found is None:
        return "Too few outcomes tell how often the intervals hold the truth."
    shares = f"{format_share(found['candidate'])} and {format_share(found['current'])}"
    if found["verdict"] == "unclear":
        return (
            f"Whose intervals hold the truth more often cannot be told yet ({shares}). "
            f"{_foresee(found, lambda value: f'{100 * value:.1f} points')}"
        )
    return f"Its intervals hold the truth {_OFTEN[found['verdict']]} those of the current version ({shares})."


def describe_guarantee(trial: Trial) -> str:
    """The meaning of the intervals, and what counts as no difference."""
    tolerances = f"{100 * trial['tolerance']['error']:g} % of the median error, or {_points(trial)} of the coverage"
    return (
        f"The intervals hold the true difference at all looks together with {100 * trial['confidence']:g} %, "
        f"so look as often as you like. A difference below {tolerances} counts as none."
    )


def list_figures(trial: Trial) -> list[Row]:
    """The rows below HEAD: error, coverage and widths of both."""
    rows, made = [], trial["predictions"]
    decimals = _find_decimals(trial)
    if error := trial["absolute_error"]:
        cells = [f"{error[name]:.{decimals}f}" for name in ("current", "candidate")]
        ends = [format_change(error[name], decimals) for name in ("difference", "lower", "upper")]
        rows.append(("Mean absolute error", *cells, ends[0], f"{ends[1]} to {ends[2]}"))
    if coverage := trial["coverage"]:
        cells = [format_share(coverage[name]) for name in ("current", "candidate")]
        ends = [format_change(100 * coverage[name], 1) for name in ("difference", "lower", "upper")]
        rows.append(("Coverage of the intervals", *cells, f"{ends[0]} points", f"{ends[1]} to {ends[2]}"))
    widths = made.get("mean_width") or {role: made.get(role, {}).get("mean_width") for role in ("current", "candidate")}
    if None not in widths.values():
        cells = [f"{widths[name]:.{decimals}f}" for name in ("current", "candidate")]
        change = format_change(widths["candidate"] - widths["current"], decimals)
        rows.append(("Mean width of the intervals", *cells, change, NOTHING))
    return rows


def list_differences(trial: Trial) -> list[Row]:
    """The head and the row of a table of candidate minus current prediction; none for a canary, or for few pairs."""
    found = trial["predictions"].get("difference")
    if not found:
        return []
    decimals = _find_decimals(trial)
    head = ("Mean", *(f"{name[1:]} %" for name in found if name != "mean"))
    return [head, tuple(format_change(value, decimals) for value in found.values())]


def describe_predictions(trial: Trial) -> list[str]:
    """How often the candidate is outside the interval of an answer, and how long it takes."""
    made, told = trial["predictions"], []
    beyond = made.get("beyond_interval")
    if beyond and beyond["of"]:
        told.append(
            f"{format_share(beyond['count'] / beyond['of'])} of its predictions are outside the interval of the answer."
        )
    if "ms" in made:
        told.append(f"It took {_time(made['ms']['candidate'])}; a whole answer with it {_time(made['ms']['answer'])}.")
    elif "ms" in made.get("candidate", {}) and "ms" in made["current"]:
        told.append(
            f"Its answers took {_time(made['candidate']['ms'])}; those of the current version "
            f"{_time(made['current']['ms'])}."
        )
    return told


def format_share(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f} %"


def format_change(value: float, decimals: int) -> str:
    """A difference with its sign."""
    text = f"{value:+.{decimals}f}"
    return (text[1:] if not float(text) else text).replace("-", MINUS)


def _judge_error(trial: Trial) -> str:
    error = trial["absolute_error"]
    if error is None:
        counts: Sequence[int] = tuple(trial["outcomes"].values())
        if min(counts) < trial["least_outcomes"]:
            each = "" if len(counts) == 1 else " of each version"
            return f"{min(counts):,} outcomes{each} are known, and {trial['least_outcomes']} are needed."
        return "an outcome is so large that the errors have no mean."
    decimals = _find_decimals(trial)
    if error["verdict"] == "alike":
        return f"the mean absolute errors differ by less than {format_figure(error['tolerance'], 2)}."
    size = f"{abs(error['difference']):.{decimals}f}"
    way = f"{'smaller' if error['difference'] < 0 else 'larger'} by {size}"
    if error["verdict"] != "unclear":
        nearest, farthest = sorted(abs(error[end]) for end in ("lower", "upper"))
        return f"its mean absolute error is {way} ({nearest:.{decimals}f} to {farthest:.{decimals}f})."
    so_far = f"is {way} so far" if float(size) else f"differs by less than {10.0**-decimals:g} so far"
    return f"its mean absolute error {so_far}. {_foresee(error, lambda value: format_figure(value, 2))}"


def _foresee(figure: Mapping[str, Any], form: Any) -> str:
    needed = figure["needed"]
    if needed is None:
        return "No number of outcomes that can be expected will tell."
    count = f"about {_round(needed['outcomes']):,} outcomes, of which {figure['outcomes']:,} are known"
    if needed["kind"] == "seen":
        return f"If the difference stays, it takes {count}."
    if needed["kind"] == "sought":
        return f"No difference that counts is seen; one of {form(needed['difference'])} takes {count}."
    return f"No difference that counts is seen; to be sure that there is none takes {count}."


def _round(count: int) -> int:
    """Two digits: it is a forecast."""
    return int(float(f"{count:.2g}"))


def _find_decimals(trial: Trial) -> int:
    if trial["absolute_error"]:
        return count_decimals(trial["absolute_error"]["current"], DIGITS)
    made = trial["predictions"]
    width = (made.get("mean_width") or made.get("current", {})).get("current" if "mean_width" in made else "mean_width")
    return count_decimals(width, DIGITS) if width else 1


def _time(quantiles: Mapping[str, float]) -> str:
    told = [f"{format_figure(quantiles[name], 2)} ms ({title})" for name, title in _PLACES.items()]
    return f"{', '.join(told[:-1])} and {told[-1]}"


def _points(trial: Trial) -> str:
    return f"{100 * trial['tolerance']['coverage']:g} points"


def _day(trial: Trial) -> str:
    return str(trial["predictions"]["from"][:10])
