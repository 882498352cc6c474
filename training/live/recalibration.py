"""Fits the intervals of the current version to recent outcomes, and publishes the result as a version of its own.

The network and the expected error of each fold stay. Only the scores are new: the absolute errors of recent outcomes,
divided by the error that a fold expects at the prediction, dealt over the folds.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lambda_app.model.bundle import INTERVAL, bundle_key, sha256_hex
from lambda_app.model.interval import IntervalCalibration, parse_calibration
from problem.table import TABLE
from stacks.functions import Function
from training.calibrate import thin_scores
from training.card import MODEL_CARD
from training.coverage import estimate_share
from training.gates import COVERAGE_TOLERANCE, find_failures
from training.live.errors import LiveError
from training.manifest import name_version, write_manifest
from training.registry import publish_bundle, show_version
from training.rounding import format_figure
from training.signing import SigningKey
from training.storage import explain_failures, fetch_object
from training.validate import describe_intervals, find_covered

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

LEAST_OUTCOMES = 200
MOST_OUTCOMES = 2_000
# Each outcome is judged by scores that were fitted to the other parts.
PARTS = 5
# The share of the newest outcomes that are looked at alone, for a change inside the window.
NEWEST = 1 / 3
# These show the intervals of the training.
OUTDATED = ("interval_coverage.png", "predicted_vs_actual.png", MODEL_CARD)


@dataclass(frozen=True)
class Pairs:
    """Predictions with their intervals, (n, 2), and the truth, (n,), in observed order."""

    predicted: NDArray[np.float64]
    intervals: NDArray[np.float64]
    actual: NDArray[np.float64]
    observed_at: Sequence[str]

    def __len__(self) -> int:
        return len(self.actual)

    def take(self, places: NDArray[np.intp]) -> "Pairs":
        """Return some of them."""
        times = [self.observed_at[place] for place in places]
        return Pairs(self.predicted[places], self.intervals[places], self.actual[places], times)


@dataclass(frozen=True)
class Recalibrated:
    """The version that was published; `figures` as in the manifest under "recalibrated"."""

    version: str
    figures: Mapping[str, Any]


def recalibrate_current(
    client: "S3Client", bucket: str, monitor: Function, since: datetime | None, key: SigningKey | None = None
) -> Recalibrated:
    """Publish the current version with new intervals, signed by the key if there is one.

    Raises LiveError if they are no good, or for too few outcomes.
    """
    manifest = show_version(client, bucket, None)
    former = str(manifest["version"])
    pairs = select_pairs(monitor({"task": "pairs", "model_version": former})["pairs"], since)
    if len(pairs) < LEAST_OUTCOMES:
        raise LiveError(
            f"{former} has {len(pairs)} outcomes{'' if since is None else ' since then'}, and a recalibration needs "
            f"{LEAST_OUTCOMES}"
        )
    contents = _fetch_files(client, bucket, manifest)
    calibration = parse_calibration(contents[INTERVAL])
    figures = describe_recalibration(former, pairs, calibration)
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        for name, content in contents.items():
            (directory / name).write_bytes(content)
        document = {"coverage": calibration.coverage, "folds": _list_folds(fit_scores(calibration, pairs))}
        (directory / INTERVAL).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        created_at = datetime.now(UTC)
        version = name_version(directory, created_at)
        described = _describe_version(manifest, version, created_at, figures)
        if failures := find_failures(described):
            raise LiveError(f"the new intervals of {former} were not published: {'; '.join(failures)}")
        (directory / MODEL_CARD).write_text(_write_card(described), encoding="utf-8")
        write_manifest(directory, described)
        publish_bundle(client, bucket, directory, key=key)
    return Recalibrated(version, figures)


def select_pairs(found: Sequence[Sequence[Any]], since: datetime | None) -> Pairs:
    """The newest of the monitor's pairs, oldest first."""
    rows = [row for row in found if since is None or datetime.fromisoformat(row[4]) >= since][-MOST_OUTCOMES:]
    numbers = np.array([row[:4] for row in rows], float).reshape(-1, 4)
    return Pairs(numbers[:, 0], numbers[:, 1:3], numbers[:, 3], [row[4] for row in rows])


def fit_scores(calibration: IntervalCalibration, pairs: Pairs) -> IntervalCalibration:
    """Return the calibration with the scores of these outcomes, dealt over the folds in turn."""
    folds, errors = [], np.abs(pairs.actual - pairs.predicted)
    for place, fold in enumerate(calibration.folds):
        own = slice(place, None, len(calibration.folds))
        expected = [fold.expect_error(value) for value in pairs.predicted[own].tolist()]
        folds.append(replace(fold, scores=np.sort(errors[own] / expected).tolist()))
    return IntervalCalibration(calibration.coverage, thin_scores(folds))


def predict_intervals(calibration: IntervalCalibration, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intervals, (n, 2), around predictions, (n,).

    The predictions of the folds are not known any more, so all are taken as equal. The served intervals are a little
    wider, since those predictions differ.
    """
    count = len(calibration.folds)
    ends = [calibration.predict([value] * count) for value in predicted.tolist()]
    return np.array([[TABLE.target.cut(end) for end in pair] for pair in ends]).reshape(-1, 2)


def judge_intervals(calibration: IntervalCalibration, pairs: Pairs) -> NDArray[np.float64]:
    """Return an interval for each outcome, (n, 2), by scores that were fitted without its part of the outcomes."""
    part = np.arange(len(pairs)) % PARTS
    intervals = np.empty((len(pairs), 2))
    for number in range(PARTS):
        fitted = fit_scores(calibration, pairs.take(np.flatnonzero(part != number)))
        intervals[part == number] = predict_intervals(fitted, pairs.predicted[part == number])
    return intervals


def describe_recalibration(former: str, pairs: Pairs, calibration: IntervalCalibration) -> dict[str, Any]:
    """Return the figures for the manifest; LiveError if the outcomes changed within the window."""
    _require_steady(calibration, pairs)
    before = describe_intervals(pairs.actual, pairs.predicted, pairs.intervals)
    judged = describe_intervals(pairs.actual, pairs.predicted, judge_intervals(calibration, pairs))
    return {
        "from": former,
        "window": {"from": pairs.observed_at[0], "to": pairs.observed_at[-1]},
        "outcomes": len(pairs),
        "fitted": len(pairs),
        "judged": len(pairs),
        "parts": PARTS,
        "before": before,
        **judged,
    }


def _require_steady(calibration: IntervalCalibration, pairs: Pairs) -> None:
    """LiveError if intervals that fit the older outcomes clearly miss the newest ones too often."""
    start = round(len(pairs) * (1 - NEWEST))
    older, newest = (pairs.take(np.arange(*ends)) for ends in ((0, start), (start, len(pairs))))
    intervals = predict_intervals(fit_scores(calibration, older), newest.predicted)
    coverage = float(find_covered(newest.actual, intervals).mean())
    _, highest = estimate_share(coverage, len(newest))
    if highest < calibration.coverage - COVERAGE_TOLERANCE:
        raise LiveError(
            f"the newest outcomes are unlike the older ones: intervals that fit the others hold only {coverage:.0%} of "
            f"the {len(newest)} since {newest.observed_at[0][:10]}. Wait for more, and name the day of the change by "
            "--since"
        )


def _describe_version(
    manifest: Mapping[str, Any], version: str, created_at: datetime, figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the former manifest with the name, the intervals' figures and their origin."""
    kept = {name: value for name, value in manifest.items() if name not in {"files", "forced"}}
    held_out = {
        **manifest["metrics"]["held_out"],
        **{name: figures[name] for name in ("coverage", "coverage_by_third", "mean_width", "mean_width_by_third")},
    }
    confidence = {
        **manifest["metrics"].get("confidence", {}),
        "coverage": list(estimate_share(figures["coverage"], figures["judged"])),
    }
    return {
        **kept,
        "version": version,
        "created_at": created_at.isoformat(timespec="seconds"),
        "metrics": {**manifest["metrics"], "held_out": held_out, "confidence": confidence},
        "recalibrated": dict(figures),
    }


def _write_card(manifest: Mapping[str, Any]) -> str:
    figures = manifest["recalibrated"]
    first, last = (figures["window"][end][:10] for end in ("from", "to"))
    return f"""# Model card: {manifest["version"]}

The network of `{figures["from"]}`, whose card says how it was trained, with other prediction intervals.

The intervals were fitted to the {figures["outcomes"]} newest outcomes of that version, observed from {first} to
{last}. The intervals that were served held the truth for {figures["before"]["coverage"]:.1%} of them. Each outcome was
judged by intervals that were fitted to the other {figures["parts"] - 1} of {figures["parts"]} parts: these hold
{figures["coverage"]:.1%}, of a promised {manifest["interval"]["coverage"]:.0%}. The mean width is
{format_figure(figures["mean_width"])} instead of {format_figure(figures["before"]["mean_width"])}
({TABLE.target.unit}).

Errors of the predictions themselves do not change. In `manifest.json`, the figures of coverage and width are those of
these outcomes, and all others are of the training.
"""


def _list_folds(calibration: IntervalCalibration) -> list[dict[str, Any]]:
    return [
        {
            "lowest": fold.lowest,
            "highest": fold.highest,
            "coefficients": list(fold.coefficients),
            "scores": list(fold.scores),
        }
        for fold in calibration.folds
    ]


def _fetch_files(client: "S3Client", bucket: str, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the files that the new version keeps, each compared with its digest."""
    contents = {}
    with explain_failures(bucket):
        for name, entry in manifest["files"].items():
            if name in OUTDATED:
                continue
            key = bundle_key(str(manifest["version"]), name)
            found = fetch_object(client, bucket, key)
            if found is None or sha256_hex(found.content) != entry["sha256"]:
                raise LiveError(f"{key} is {'damaged' if found else 'missing'}")
            contents[name] = found.content
    return contents
