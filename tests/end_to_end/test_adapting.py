"""Another table: the repository with nothing but problem/ replaced trains, passes its gates, publishes and serves."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.aws_services import IDENTITY, REGION, AwsServices
from local.emulator import Emulator
from local.ports import LOOPBACK, find_free_ports
from local.process import build_environment
from tests.events import make_event
from tests.queues import create_queue_pair
from training.registry import find_newest_bundle

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "adapting" / "problem"
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "build", "problem", ".*_cache", ".hypothesis", "__pycache__")
ROWS = 4137
# Half of the default, which takes longer; they are enough for the gates.
EPOCHS = 6
# The first student of the data, whose grade point average was 2.04.
STUDENT = {"sat": 920, "verbmath": 0.48387, "hsize": 0.1, "hsrank": 4, "hsperc": 40, "tothrs": 43, "athlete": 1}

Command = Callable[..., str]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the example's problem/ in the place of its own."""
    directory = tmp_path_factory.mktemp("adapted") / "project"
    shutil.copytree(ROOT, directory, ignore=NOT_COPIED)
    shutil.copytree(EXAMPLE, directory / "problem")
    return directory


@pytest.fixture(scope="module")
def run(project: Path, aws: AwsServices) -> Command:
    """Run a module of the copy, and return its output."""

    def run_module(*arguments: str, **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=project,
            env=build_environment(**IDENTITY, AWS_ENDPOINT_URL=aws.endpoint_url, **variables),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_module


@pytest.fixture(scope="module")
def model(project: Path, run: Command) -> Path:
    """The directory of the model that the copy trained."""
    output = run("training", "train", "--epochs", str(EPOCHS))
    assert f"Held out, {ROWS} students: RMSE 0." in output
    return find_newest_bundle(project / "build" / "models")


@pytest.fixture
def registry(model: Path, run: Command, bucket: str) -> dict[str, str]:
    """The variables that name a bucket in which the model is published and current."""
    variables = {"MODEL_BUCKET": bucket}
    assert run("training", "publish", **variables) == f"Published {model.name}\n"
    run("training", "promote", model.name, **variables)
    return variables


@pytest.fixture
def api(
    project: Path,
    registry: dict[str, str],
    aws: AwsServices,
    sqs: "SQSClient",
    emulator_path: Path,
    tmp_path: Path,
) -> Iterator[Emulator]:
    """The copy's api as Lambda runs it, with its records in a queue, as while the database is away."""
    database = {"HOST": LOOPBACK, "PORT": "1", "NAME": "postgres", "USER": "nobody", "PASSWORD": "-", "TLS": "off"}
    variables = {
        **IDENTITY,
        **registry,
        **create_queue_pair(sqs).environment,
        **{f"DATABASE_{name}": value for name, value in database.items()},
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_REGION": REGION,
    }
    emulator = Emulator(
        emulator_path,
        [sys.executable, "-m", "awslambdaric", "lambda_app.handler.api"],
        build_environment(**variables, PYTHONPATH=str(project)),
        find_free_ports(2),
        tmp_path / "emulator.log",
        project,
    )
    yield emulator
    emulator.stop()


def test_model_passes_the_gates_and_its_figures_are_in_units_of_the_target(
    registry: dict[str, str], model: Path, run: Command
) -> None:
    manifest = json.loads(run("training", "show", **registry))
    assert [feature["name"] for feature in manifest["features"]] == list(STUDENT)
    assert manifest["training"]["rows"] == ROWS
    held_out, ridge = manifest["metrics"]["held_out"], manifest["metrics"]["ridge"]
    assert held_out["rmse"] < ridge["rmse"] < 0.66
    assert held_out["coverage"] == pytest.approx(0.9, abs=0.04)
    assert manifest["outcomes"]["bin_edges"][:2] == [0, 0.2]
    assert manifest["outcomes"]["bin_edges"][-1] == 4
    assert sum(manifest["outcomes"]["counts"]) == ROWS
    assert manifest["parity"]["tolerance"] == pytest.approx(4 * 3e-6)


def test_start_does_not_grow_with_the_rows(model: Path) -> None:
    assert (model / "interval.json").stat().st_size <= 64 * 1024
    folds = json.loads((model / "interval.json").read_bytes())["folds"]
    assert sum(len(fold["scores"]) for fold in folds) < ROWS / 2


def test_model_card_speaks_of_this_table_alone(model: Path) -> None:
    card = (model / "model_card.md").read_text(encoding="utf-8")
    assert f"{ROWS} students of one college" in card
    assert "`colgpa` (grade points): Grade point average after the fall semester. In these students" in card
    assert not re.search("patient|diabet|progression|disease", card)


def test_api_predicts_one_and_several_explains_and_refuses(api: Emulator, model: Path) -> None:
    answer = api.invoke(make_event("POST", "/predict", json.dumps(STUDENT)))
    assert answer["statusCode"] == 200
    assert answer["headers"]["x-prediction-record"] == "queue"
    one = json.loads(answer["body"])
    assert one["model_version"] == model.name
    assert one["warnings"] == []
    assert one["interval"]["coverage"] == 0.9
    assert 0 <= one["interval"]["lower"] < one["prediction"] < one["interval"]["upper"] <= 4

    explanation = json.loads(api.invoke(make_event("POST", "/explain", json.dumps(STUDENT)))["body"])
    assert list(explanation["contributions"]) == list(STUDENT)
    total = explanation["base_value"] + sum(explanation["contributions"].values())
    assert total == pytest.approx(explanation["prediction"], abs=1e-5)

    answer = api.invoke(
        make_event("POST", "/predict/batch", json.dumps({"students": [STUDENT, {**STUDENT, "sat": 1400}]}))
    )
    first, second = json.loads(answer["body"])["predictions"]
    assert first["prediction"] == pytest.approx(one["prediction"], abs=1e-5)
    assert first["prediction"] < second["prediction"]

    refused = api.invoke(make_event("POST", "/predict", json.dumps({**STUDENT, "sat": 920.5, "athlete": 2})))
    assert refused["statusCode"] == 422
    assert json.loads(refused["body"])["errors"] == [
        {"field": "sat", "message": "must be a whole number from 400 to 1600 (points)"},
        {"field": "athlete", "message": "must be 0 or 1"},
    ]


def test_relation_of_the_table_is_warned_of(api: Emulator) -> None:
    answer = api.invoke(make_event("POST", "/predict", json.dumps({**STUDENT, "hsperc": 41})))
    body = json.loads(answer["body"])
    assert body["interval"]["coverage"] is None
    assert {"field": "hsperc", "message": "is more than 0.01 away from hsrank / hsize, which defines it"} in body[
        "warnings"
    ]
