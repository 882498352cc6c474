"""Writes model_card.md: the purpose of a version, its data, its figures and their limits."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from problem import card, inputs
from problem.table import TABLE
from training.fit import BATCHES_PER_EPOCH, LARGEST_BATCH, LEARNING_RATE, Schedule
from training.network import DROPOUT, FOLDS, HIDDEN_UNITS, MEMBERS_PER_FOLD, OUTPUT_PENALTY, SCALE_PENALTY
from training.rounding import count_decimals, format_figure

MODEL_CARD = "model_card.md"
SCHEDULES = {
    Schedule.COSINE: "falls along a cosine to zero",
    Schedule.PLATEAU: "is halved when the error on left-out folds stops falling; training stops if this does not help",
}


def write_model_card(directory: Path, description: dict[str, Any]) -> None:
    """Write model_card.md from the result of `describe_version`."""
    sections = (
        describe_purpose(description),
        describe_data(description),
        describe_model(description),
        describe_figures(description["metrics"]),
        describe_intervals(description),
        describe_limits(description["metrics"]),
        describe_plots(description["interval"]["coverage"]),
        describe_repetition(description),
    )
    (directory / MODEL_CARD).write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def describe_purpose(description: dict[str, Any]) -> str:
    """Describe the version, its intended use, and uses that are excluded."""
    created_at = datetime.fromisoformat(description["created_at"])
    return f"""# Model card: {description["version"]}

An ensemble of {description["training"]["members"]} small neural networks that {card.SUMMARY}, with an
interval for every prediction.
Version `{description["version"]}`, trained on {created_at:%Y-%m-%d at %H:%M} UTC from
{_name_commit(description["commit"])}.

## Intended use

{card.INTENDED_USE}"""


def describe_data(description: dict[str, Any]) -> str:
    """Describe the training rows and their ranges."""
    target, outcomes = TABLE.target, description["outcomes"]
    rows = (
        (f"`{feature.name}`", feature.meaning, feature.unit, f"{seen['minimum']:g} to {seen['maximum']:g}")
        for feature, seen in zip(TABLE.features, description["features"], strict=True)
    )
    return f"""## Data

{description["training"]["rows"]} {TABLE.cases} {card.DATA}.
SHA-256 of the rows: `{description["data_sha256"]}`.

{_table(("Name", "Meaning", "Unit", "Range seen"), rows)}

The target is `{target.name}` ({target.unit}): {target.meaning}. In these {TABLE.cases} it runs from
{outcomes["minimum"]:g} to {outcomes["maximum"]:g}."""


def describe_model(description: dict[str, Any]) -> str:
    """Describe the network and its training."""
    training, parity = description["training"], description["parity"]
    return f"""## Model

- {FOLDS} folds times {MEMBERS_PER_FOLD} members: each member learns from all {TABLE.cases} but those of one fold, and
  the prediction is the mean of all members.
- A member has {len(HIDDEN_UNITS)} hidden layers of {" and ".join(map(str, HIDDEN_UNITS))} units with ReLU, batch
  normalisation and dropout of {DROPOUT:g}, and a linear skip connection from its inputs to its output.
- L2 penalties of {SCALE_PENALTY:g} on the scales of the normalisation and of {OUTPUT_PENALTY:g} on the last layer.
- {inputs.DESCRIPTION}
- Adam in {BATCHES_PER_EPOCH} batches an epoch or more, of at most {LARGEST_BATCH} rows, for at most
  {training["epochs"]} epochs, by the schedule
  {training["schedule"]}: the learning rate starts at {LEARNING_RATE:g} and {SCHEDULES[training["schedule"]]}.
  It took {training["seconds"]:.1f} seconds.
- LiteRT serves a converted form of the network. On {parity["rows"]} {TABLE.cases} it differs from the trained network
  by at most {parity["largest_difference"]:.1g}; {parity["tolerance"]:.2g} is allowed."""


def describe_figures(metrics: dict[str, Any]) -> str:
    """Describe the accuracy on held-out rows, compared with a linear model."""
    held_out, ridge, confidence = metrics["held_out"], metrics["ridge"], metrics["confidence"]
    decimals = count_decimals(held_out["rmse"])
    rows = [
        (name, f"{held_out[key]:.{places}f}", _span(confidence[key], places), f"{ridge[key]:.{places}f}")
        for name, key, places in (("RMSE", "rmse", decimals), ("MAE", "mae", decimals), ("R²", "r2", 3))
    ]
    ends = confidence["rmse_less_ridge"]
    return f"""## Accuracy

{_table(("", "This model", "95 % interval", "Ridge regression"), rows)}

The mean of prediction minus truth is {held_out["bias"]:+.{decimals}f}.
The RMSE is {held_out["rmse"] - ridge["rmse"]:+.{decimals}f} against ridge regression (95 % interval
{_span(ends, decimals)}).
{judge_difference(ends)}

Measured on {held_out["rows"]} held-out {TABLE.cases}: every {TABLE.case} is held out once, in {held_out["folds"]}
folds, and predicted by an ensemble that was trained in the same way without that fold. Ridge regression uses the same
folds. The served network is trained on all {TABLE.cases}, so none are left to measure it on. The intervals come from
bootstrap samples of the {TABLE.cases}; they do not include the effect of another seed."""


def judge_difference(ends: Sequence[float]) -> str:
    """Interpret the confidence interval of the RMSE difference from ridge regression."""
    lower, upper = ends
    if upper < 0:
        return f"The interval excludes zero: on such {TABLE.cases} the network predicts better than ridge regression."
    if lower > 0:
        return f"The interval excludes zero: on such {TABLE.cases} the network predicts worse than ridge regression."
    return f"The interval includes zero: these {TABLE.cases} do not show that the network predicts better or worse."


def describe_intervals(description: dict[str, Any]) -> str:
    """Describe the promised and the measured coverage of the prediction intervals."""
    interval, metrics = description["interval"], description["metrics"]
    held_out = metrics["held_out"]
    keys = ("coverage", "mean_width", "rmse", "bias")
    thirds = zip(*(held_out[f"{key}_by_third"] for key in keys), strict=True)
    nominal, outside = interval["coverage"], held_out["outside"]
    named = zip(("Lowest", "Middle", "Highest", "All"), [*thirds, [held_out[key] for key in keys]], strict=True)
    decimals = count_decimals(held_out["rmse"], 3)
    rows = (
        (name, _percent(coverage), format_figure(width, 3), format_figure(rmse, 3), f"{bias:+.{decimals}f}")
        for name, (coverage, width, rmse, bias) in named
    )
    return f"""## Prediction intervals

Every prediction has an interval that is meant to hold the truth for {_percent(nominal, 0)} of {TABLE.cases} like those
of the training (cross-conformal prediction, {interval["method"]}; the width depends on the error expected at that
prediction). On {held_out["rows"] - outside["rows"]} held-out {TABLE.cases} like those of the training without them it
did so for {_percent(held_out["coverage"])} (95 % interval {_percent_span(metrics["confidence"]["coverage"])}).

{_table(("Third of the predictions", "Coverage", "Mean width", "RMSE", "Mean of prediction minus truth"), rows)}

Theory guarantees less, for {interval["method"]} about {_percent(2 * nominal - 1, 0)}: rely on the measured coverage.

No coverage is promised for a {TABLE.case} with a warning: a feature is outside the ranges above, features contradict
each other, or all features together are further from the mean of the training than those of
{_percent(description["joint"]["quantile"], 0)} of its {TABLE.cases}. The interval then uses the largest expected error,
and gets wider with the distance.
{_describe_outside(outside)}"""


def _describe_outside(outside: dict[str, Any]) -> str:
    if not outside["rows"]:
        return f"None of the held-out {TABLE.cases} was one of them."
    return (
        f"{outside['rows']} of the held-out {TABLE.cases} were such; their intervals, "
        f"{format_figure(outside['mean_width'], 3)} wide on average, held the truth for "
        f"{_percent(outside['coverage'])}."
    )


def describe_limits(metrics: dict[str, Any]) -> str:
    """Describe the limits of the figures."""
    lower, upper = metrics["confidence"]["rmse"]
    rows = metrics["held_out"]["rows"]
    return f"""## Limits

{card.LIMITS}
- The model was measured only on {TABLE.cases} of the same data as its training.
- With {rows} {TABLE.cases} the figures are uncertain: the RMSE by about ±{format_figure((upper - lower) / 2, 2)}.
- A single prediction can be far off: see the widths above.
- The coverage holds on average over {TABLE.cases} like these, not for each {TABLE.case}.
- The service accepts {TABLE.cases} unlike these, and warns. Do not rely on their predictions and intervals."""


def describe_plots(nominal: float) -> str:
    """Show the plots, and explain each."""
    return f"""## Plots

![Importance of the features](feature_importance.png)

The increase of the error when a feature is shuffled among held-out {TABLE.cases}. A bar near zero means that the model
is as good without this feature. If features depend on each other, the bars may overstate them.

![Learning curves of the members](learning_curves.png)

The error of the members on their training {TABLE.cases} and on those of the left-out fold. Each thin line is a member,
the thick lines are means. When the second mean stops falling, more epochs gain nothing.

![Predicted and actual {TABLE.target.name}](predicted_vs_actual.png)

Each point is a held-out {TABLE.case}, with the prediction on the horizontal axis and the actual value on the vertical
axis. The bar behind it is the {_percent(nominal, 0)} interval; points outside their bars are marked. Perfect
predictions would be on the diagonal.

![Residuals](residuals.png)

Points should lie evenly above and below zero along the whole axis. Where the band is wide, predictions are less exact.

![Coverage and width of the intervals](interval_coverage.png)

Left: a bar that crosses the dashed line agrees with the promised coverage. Right: the mean widths of the intervals,
compared with one width for all."""


def describe_repetition(description: dict[str, Any]) -> str:
    """Describe how to repeat the training."""
    training = description["training"]
    libraries = ", ".join(f"{name} {version}" for name, version in description["libraries"].items())
    return f"""## How to repeat it

From {_name_commit(description["commit"])}:

```
python -m training train --seed {training["seed"]} --epochs {training["epochs"]} --schedule {training["schedule"]}
```

Libraries: {libraries}.

The same seed repeats the model on the same kind of machine with the same libraries; elsewhere it differs a little.
`manifest.json` has every figure unrounded."""


def _name_commit(commit: str | None) -> str:
    if commit is None:
        return "source code whose commit is not known"
    clean = commit.removesuffix("-dirty")
    return f"commit `{clean}`" + ("" if clean == commit else " with changes that were not committed")


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _percent_span(ends: Sequence[float]) -> str:
    return " to ".join(_percent(end) for end in ends)


def _span(ends: Sequence[float], digits: int) -> str:
    return " to ".join(f"{end:.{digits}f}" for end in ends)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
