"""The explanations are those of the SHAP package, which reads the same model and does its own sums."""

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lambda_app.model.predictor import Predictor
from local.aws_services import REPOSITORY
from problem.table import TABLE
from tests.bundles import Registry, load_predictor
from tests.machine import require
from training.data import load_rows

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PATIENTS = [
    *load_rows().features[[0, 1, 100, 441]].tolist(),
    [feature.minimum for feature in TABLE.features],
    [feature.maximum for feature in TABLE.features],
    # From one end of what is accepted to the other and back.
    [(feature.minimum, feature.maximum)[position % 2] for position, feature in enumerate(TABLE.features)],
    [(feature.maximum, feature.minimum)[position % 2] for position, feature in enumerate(TABLE.features)],
]


@pytest.fixture(scope="module")
def reference(bundle: Path) -> dict[str, Any]:
    """SHAP's explanations of the patients."""
    made = subprocess.run(["make", "shap"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    require(made.returncode == 0, f"SHAP ({made.stderr.strip()})")
    command = [REPOSITORY / "build" / "shap" / "bin" / "python", Path(__file__).with_name("shap_reference.py")]
    bounds = [TABLE.target.minimum, TABLE.target.maximum]
    asked = json.dumps({"bundle": str(bundle), "patients": PATIENTS, "bounds": bounds})
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def explain(predictor: Predictor) -> tuple[list[float], list[list[float]]]:
    explanations = [predictor.explain(dict(zip(TABLE.names, patient, strict=True))) for patient in PATIENTS]
    contributions = [[explanation.contributions[name] for name in TABLE.names] for explanation in explanations]
    return [explanation.base_value for explanation in explanations], contributions


@pytest.mark.parametrize("runtime", ["litert", "tensorflow"])
def test_both_runtimes_explain_as_shap_does(
    runtime: str, reference: dict[str, Any], registry: Registry, client: "S3Client"
) -> None:
    base_values, contributions = explain(load_predictor(client, registry.bucket, runtime))
    np.testing.assert_allclose(base_values, reference["base_values"], rtol=0, atol=1e-3)
    np.testing.assert_allclose(contributions, reference["contributions"], rtol=0, atol=1e-3)
    # Patients whose explanations differ: else agreement would say little.
    assert np.ptp(contributions, axis=0).min() > 1
