"""model_card.md: what a version is for and not for, what it learned from, how good it is and how sure that is."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from problem import card, inputs
from problem.table import TABLE
from training.fit import BATCHES_PER_EPOCH, LEARNING_RATE, Schedule
from training.network import DROPOUT, FOLDS, HIDDEN_UNITS, MEMBERS_PER_FOLD, OUTPUT_PENALTY, SCALE_PENALTY

MODEL_CARD = "model_card.md"
SCHEDULES = {
    Schedule.COSINE: "falls along a cosine to zero",
    Schedule.PLATEAU: "is halved when the folds left out gain no more, and training stops when that does not help",
}


def write_model_card(directory: Path, description: dict[str, Any]) -> None:
    """Write model_card.md from what `describe_version` says of the version."""
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
    """What it is, what it is for and what it is not for."""
    created_at = datetime.fromisoformat(description["created_at"])
    return f"""# Model card: {description["version"]}

An ensemble of {description["training"]["members"]} small neural networks that {card.SUMMARY}, with an
interval for every prediction.
Version `{description["version"]}`, trained on {created_at:%Y-%m-%d at %H:%M} UTC from
{_name_commit(description["commit"])}.

## Intended use

{card.INTENDED_USE}"""


def describe_data(description: dict[str, Any]) -> str:
    """Whom it learned from, and the ranges it has seen."""
    rows = (
        (f"`{feature.name}`", feature.meaning, feature.unit, f"{seen['minimum']:g} to {seen['maximum']:g}")
        for feature, seen in zip(TABLE.features, description["features"], strict=True)
    )
    return f"""## Data

{description["training"]["rows"]} {TABLE.cases} {card.DATA}.
SHA-256 of the rows: `{description["data_sha256"]}`.

{_table(("Name", "Meaning", "Unit", "Range seen"), rows)}

The target is a score of how far the disease has progressed after one year, from 25 to 346 in these patients."""


def describe_model(description: dict[str, Any]) -> str:
    """How the network is built and trained."""
    training, parity = description["training"], description["parity"]
    return f"""## Model

- {FOLDS} folds times {MEMBERS_PER_FOLD} members: each member learns from all patients but those of one fold, and the
  prediction is the mean of all members.
- A member has {len(HIDDEN_UNITS)} hidden layers of {" and ".join(map(str, HIDDEN_UNITS))} units with ReLU, batch
  normalisation and dropout of {DROPOUT:g}, and a linear skip connection from its inputs to its output.
- L2 penalties of {SCALE_PENALTY:g} on the scales of the normalisation and of {OUTPUT_PENALTY:g} on the last layer.
- {inputs.DESCRIPTION}
- Adam in {BATCHES_PER_EPOCH} batches an epoch, for at most {training["epochs"]} epochs, by the schedule
  {training["schedule"]}: the learning rate starts at {LEARNING_RATE:g} and {SCHEDULES[training["schedule"]]}.
  It took {training["seconds"]:.1f} seconds.
- What is served is converted to LiteRT. On {parity["rows"]} patients it differs from the trained network by at most
  {parity["largest_difference"]:.1g}; {parity["tolerance"]:g} is allowed."""


def describe_figures(metrics: dict[str, Any]) -> str:
    """How good it is on patients it has not seen, and whether that is better than a linear model."""
    held_out, ridge, confidence = metrics["held_out"], metrics["ridge"], metrics["confidence"]
    rows = (
        ("RMSE", f"{held_out['rmse']:.2f}", _span(confidence["rmse"], 2), f"{ridge['rmse']:.2f}"),
        ("MAE", f"{held_out['mae']:.2f}", _span(confidence["mae"], 2), f"{ridge['mae']:.2f}"),
        ("R²", f"{held_out['r2']:.3f}", _span(confidence["r2"], 3), f"{ridge['r2']:.3f}"),
    )
    ends = confidence["rmse_less_ridge"]
    return f"""## How good it is

{_table(("", "This model", "95 % interval", "Ridge regression"), rows)}

The RMSE is {held_out["rmse"] - ridge["rmse"]:+.2f} against ridge regression (95 % interval {_span(ends, 2)}).
{judge_difference(ends)}

Measured on {held_out["rows"]} held-out patients: every patient is held out once, in {held_out["folds"]} folds, and
predicted by an ensemble that was trained without that fold in the same way. Ridge regression is judged on the same
folds. The served network itself learned from all patients, so none are left to measure it on. The intervals come from
drawing the patients again with replacement; they do not include what another seed would change."""


def judge_difference(ends: Sequence[float]) -> str:
    """In words, what the interval of RMSE less that of ridge regression says."""
    lower, upper = ends
    if upper < 0:
        return "The interval excludes zero: on such patients the network predicts better than ridge regression."
    if lower > 0:
        return "The interval excludes zero: on such patients the network predicts worse than ridge regression."
    return "The interval includes zero: these patients do not show that the network predicts better or worse."


def describe_intervals(description: dict[str, Any]) -> str:
    """What the prediction intervals promise, and what they kept."""
    interval, metrics = description["interval"], description["metrics"]
    held_out = metrics["held_out"]
    thirds = zip(
        ("Lowest", "Middle", "Highest"), held_out["coverage_by_third"], held_out["mean_width_by_third"], strict=True
    )
    nominal, outside = interval["coverage"], held_out["outside"]
    all_rows = [*thirds, ("All", held_out["coverage"], held_out["mean_width"])]
    rows = ((name, _percent(coverage), f"{width:.0f}") for name, coverage, width in all_rows)
    return f"""## Prediction intervals

Every prediction comes with an interval that is meant to hold the truth for {_percent(nominal, 0)} of patients like
those of the study (cross-conformal, {interval["method"]}; its width follows the error to be expected at that
prediction). On {held_out["rows"] - outside["rows"]} held-out patients like those of the training without them it did so
for {_percent(held_out["coverage"])} (95 % interval {_percent_span(metrics["confidence"]["coverage"])}).

{_table(("Third of the predictions", "Coverage", "Mean width"), rows)}

Theory alone promises less, for {interval["method"]} about {_percent(2 * nominal - 1, 0)}: go by what was measured.

Nothing is promised to a patient with a measurement outside the ranges above, to one whose measurements contradict each
other, and to one whose measurements are together further from the mean of the study than those of
{_percent(description["joint"]["quantile"], 0)} of its patients. The answer says so, and its interval is made for the
largest error that is expected anywhere, in proportion wider the further out.
{_describe_outside(outside)}"""


def _describe_outside(outside: dict[str, Any]) -> str:
    if not outside["rows"]:
        return "None of the held-out patients was one of them."
    return (
        f"{outside['rows']} of the held-out patients were such; their intervals, {outside['mean_width']:.0f} wide on "
        f"average, held the truth for {_percent(outside['coverage'])}."
    )


def describe_limits(metrics: dict[str, Any]) -> str:
    """What a reader must not take from the figures."""
    lower, upper = metrics["confidence"]["rmse"]
    rows = metrics["held_out"]["rows"]
    return f"""## Limits

- {rows} patients of one study. Its time, place and the patients' ethnicity are not known here, and nothing says that
  other people are like them.
- It was measured where it was trained: on patients of the same study, never on another one.
- With {rows} patients the figures are uncertain: the RMSE by about ±{(upper - lower) / 2:.1f}.
- A single prediction can be far off: see the widths above.
- The coverage holds on average over patients like the study's, not for each person.
- The service accepts patients unlike those of the study, and warns. Neither prediction nor interval can be relied on
  there.
- It is not a medical device."""


def describe_plots(nominal: float) -> str:
    """The pictures, and how to read each."""
    return f"""## Plots

![Importance of the measurements](feature_importance.png)

By how much the error grows when a measurement is shuffled among held-out patients; a bar near zero means that the model
does as well without it. Total cholesterol, LDL and HDL belong together, so the bars may overstate them.

![Learning curves of the members](learning_curves.png)

Each thin line is a member, each thick one the mean: how far off the members are on the patients they learn from, and on
those they leave out. Where the second no longer falls, more epochs gain nothing.

![Predicted and actual progression](predicted_vs_actual.png)

Each point is a held-out patient: its place across is the prediction, its height the truth. The bar behind it is the
{_percent(nominal, 0)} interval; points outside their bars are marked. On the diagonal the prediction would be perfect.

![Residuals](residuals.png)

Points should lie evenly above and below zero from left to right. Where the band is wide, predictions are less exact.

![Coverage and width of the intervals](interval_coverage.png)

Left: a bar that crosses the dashed line agrees with the promise. Right: how wide the intervals have to be for that,
beside one width for all."""


def describe_repetition(description: dict[str, Any]) -> str:
    """How to make it again."""
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
