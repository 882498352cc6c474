"""Writes manifest.json: the version, its origin, its figures, and size and digest of each file."""

import hashlib
import json
import platform
import subprocess
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import Any

import numpy as np

from lambda_app.model.bundle import INTERVAL, MANIFEST, parse_manifest, sha256_hex
from lambda_app.model.tensorflow import LIBRARIES
from problem.table import TABLE
from training.data import Rows, digest_rows
from training.gates import find_parity_tolerance
from training.joint import measure_joint
from training.network import MEMBERS
from training.reference import describe_reference
from training.rounding import choose_bin_edges
from training.run import TrainingRun
from training.validate import describe_validation


def name_version(directory: Path, created_at: datetime) -> str:
    """Return the UTC time, so that names sort by time, and eight digits of the digest of the served files."""
    served = hashlib.sha256()
    for name in ("model.tflite", "scaler.json", INTERVAL):
        served.update((directory / name).read_bytes())
    return f"{created_at:%Y%m%dT%H%M%SZ}-{served.hexdigest()[:8]}"


def describe_version(version: str, created_at: datetime, run: TrainingRun, parity: float) -> dict[str, Any]:
    """Return the manifest without its files; `parity` is the largest difference between the two forms of the model."""
    outcomes = _describe_outcomes(run.rows)
    tolerance = find_parity_tolerance(outcomes["minimum"], outcomes["maximum"])
    return {
        "version": version,
        "created_at": created_at.isoformat(timespec="seconds"),
        "commit": read_commit(Path(__file__).parent),
        "data_sha256": digest_rows(run.rows),
        "training": {
            "rows": len(run.rows),
            "seed": run.seed,
            "epochs": run.epochs,
            "schedule": run.schedule.value,
            "members": MEMBERS,
            "seconds": round(run.seconds, 1),
        },
        "features": _describe_features(run.rows),
        "joint": asdict(measure_joint(run.rows)),
        "outcomes": outcomes,
        "reference": describe_reference(run.rows, run.validation.predicted),
        "metrics": describe_validation(run.validation),
        "interval": {"method": "CV+", "coverage": run.ensemble.calibration.coverage},
        "parity": {"rows": len(run.rows), "largest_difference": parity, "tolerance": tolerance},
        "libraries": {
            **LIBRARIES,
            "ai-edge-litert": distribution_version("ai-edge-litert"),
            "python": platform.python_version(),
        },
    }


def write_manifest(directory: Path, description: dict[str, Any]) -> None:
    """Write manifest.json: the description, and size and digest of every file in `directory`."""
    files = {path.name: path.read_bytes() for path in sorted(directory.iterdir())}
    entries = {name: {"size": len(content), "sha256": sha256_hex(content)} for name, content in files.items()}
    document = {**description, "files": entries}
    content = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    # Parse it as the service does, so that a fault is found here and not in a function that cannot start.
    parse_manifest(content)
    (directory / MANIFEST).write_bytes(content)


def read_commit(directory: Path) -> str | None:
    """Return the commit of `directory`, with "-dirty" if files differ; None outside a git repository."""
    commit = _ask_git(directory, "rev-parse", "HEAD")
    if commit is None:
        return None
    return f"{commit}-dirty" if _ask_git(directory, "status", "--porcelain") else commit


def _ask_git(directory: Path, *arguments: str) -> str | None:
    try:
        answer = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=directory,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def _describe_features(rows: Rows) -> list[dict[str, Any]]:
    lowest, highest, median = rows.features.min(axis=0), rows.features.max(axis=0), np.median(rows.features, axis=0)
    return [
        {
            "name": feature.name,
            "unit": feature.unit,
            "minimum": float(lowest[position]),
            "maximum": float(highest[position]),
            "median": float(median[position]),
        }
        for position, feature in enumerate(TABLE.features)
    ]


def _describe_outcomes(rows: Rows) -> dict[str, Any]:
    """Return the histogram of the targets, for the page."""
    lowest, highest = float(rows.targets.min()), float(rows.targets.max())
    counts, edges = np.histogram(rows.targets, choose_bin_edges(lowest, highest))
    return {
        "minimum": lowest,
        "maximum": highest,
        "mean": float(rows.targets.mean()),
        "bin_edges": edges.tolist(),
        "counts": counts.tolist(),
    }
