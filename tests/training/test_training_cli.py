"""The command line as a person meets it: what it prints, where, and with which exit code."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from local.aws_services import AwsServices
from tests.bundles import copy_bundle
from training.__main__ import app
from training.export import write_serving_artifacts
from training.fit import Ensemble
from training.validate import build_ridge

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run(aws: AwsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Result]:
    """Run a command in an empty directory, as a user with the keys of a bucket."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    return lambda *arguments: CliRunner().invoke(app, arguments)


def assert_refused(result: Result, reason: str) -> None:
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("Error: ")
    assert reason in result.stderr


def test_help_names_the_commands_without_loading_tensorflow() -> None:
    program = (
        "import runpy, sys\n"
        "sys.argv = ['training', '--help']\n"
        "try:\n"
        "    runpy.run_module('training', run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    print('exit', end.code, sorted({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules)))\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    for command in ("train", "evaluate", "publish", "promote", "rollback", "list", "show"):
        assert command in answer.stdout
    assert "exit 0 []" in answer.stdout
    assert answer.stderr == ""


def test_train_in_a_process_of_its_own_is_clean_and_repeats_the_model(quick_ensemble: Ensemble, tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "training", "train", "--seed=1", "--epochs=2", f"--output={tmp_path / 'models'}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr == ""
    assert "\x1b" not in answer.stdout
    *progress, held_out, trained = answer.stdout.splitlines()
    assert progress == ["Training: 1 of 2", "Training: 2 of 2", "Validating: 1 of 2", "Validating: 2 of 2"]
    assert re.fullmatch(
        r"Held out, 442 patients: RMSE \d+\.\d\d, MAE \d+\.\d\d, R² -?\d\.\d{3}; "
        r"\d+\.\d% lie in their interval, \d+\.\d wide on average",
        held_out,
    )
    directory = Path(trained.removeprefix("Trained "))
    assert directory.parent == tmp_path / "models"

    write_serving_artifacts(tmp_path, quick_ensemble)
    for name in ("model.tflite", "scaler.json", "interval.json"):
        assert (directory / name).read_bytes() == (tmp_path / name).read_bytes()


def test_evaluate_prints_the_table_and_writes_the_figures(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("training.baselines.BASELINES", {"ridge": build_ridge})
    result = run("evaluate", "--epochs", "1", "--output", str(tmp_path / "figures"))
    assert result.exit_code == 0
    assert "ensemble: 1 of 1\n" in result.stdout
    assert "ridge: 15 of 15\n" in result.stdout
    figures = json.loads((tmp_path / "figures" / "evaluation.json").read_bytes())
    assert set(figures["models"]) == {"ensemble", "ridge"}
    for model in figures["models"].values():
        assert f"{model['rmse']:.2f}" in result.stdout
        assert {"rmse", "mae", "r2"} <= set(model)
    assert {"coverage", "mean_width", "constant_width"} <= set(figures["intervals"])
    assert f"{figures['intervals']['coverage']:.1%}" in result.stdout
    assert (tmp_path / "figures" / "evaluation.png").exists()


def test_publish_promote_and_list(
    run: Callable[..., Result], bucket: str, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_BUCKET", bucket)
    assert run("list").stdout == ""
    (tmp_path / "build").mkdir()
    (tmp_path / "build/models").symlink_to(bundle.parent)

    assert run("publish").stdout == f"Published {bundle.name}\n"
    assert run("publish", str(bundle)).stdout == f"Published {bundle.name}\n"
    assert run("list").stdout.split("\t")[-1] == "-\n"
    assert run("promote", bundle.name).stdout == f"{bundle.name} is current now\n"
    assert run("promote", bundle.name).stdout == f"{bundle.name} is current already\n"

    listed = run("list", "--bucket", bucket)
    assert listed.exit_code == 0
    version, created_at, *figures, forced, mark = listed.stdout.removesuffix("\n").split("\t")
    assert (version, forced, mark) == (bundle.name, "-", "current")
    assert created_at.endswith("+00:00")
    held_out = json.loads((bundle / "manifest.json").read_bytes())["metrics"]["held_out"]
    rmse, r2, coverage, width = (held_out[name] for name in ("rmse", "r2", "coverage", "mean_width"))
    assert figures == [f"{rmse:.2f}", f"{r2:.3f}", f"{coverage:.1%}", f"{width:.1f}"]

    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    table = run("list").stdout
    assert "\x1b[" in table
    assert f"Models in {bucket}" in table
    assert bundle.name in table
    assert "current" in table

    green = "\x1b[1;32m"
    assert green in table
    monkeypatch.setenv("NO_COLOR", "1")
    assert green not in run("list").stdout


def test_publish_of_a_model_that_fails_a_gate_needs_a_reason(
    run: Callable[..., Result], bucket: str, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_BUCKET", bucket)
    metrics = json.loads((bundle / "manifest.json").read_bytes())["metrics"]
    metrics["ridge"]["rmse"] = 40.0
    worse = str(copy_bundle(bundle, tmp_path, version="worse", metrics=metrics))

    assert_refused(run("publish", worse), "worse was not published: its RMSE of")
    assert_refused(run("publish", worse, "--force", " "), "--force with a reason publishes it all the same")
    assert run("list").stdout == ""

    assert run("publish", worse, "--force", "the old one is broken").stdout == "Published worse\n"
    assert "\tthe old one is broken\t-\n" in run("list").stdout
    shown = json.loads(run("show", "worse").stdout)
    assert shown["forced"]["reason"] == "the old one is broken"
    assert len(shown["forced"]["failures"]) == 1
    assert run("promote", "worse").exit_code == 0


@pytest.mark.parametrize("command", [["publish", "."], ["promote", "v1"], ["list"]])
def test_missing_bucket_is_asked_for(run: Callable[..., Result], command: list[str]) -> None:
    assert_refused(run(*command), "pass --bucket or set MODEL_BUCKET")


def test_publish_before_training_says_what_to_do(run: Callable[..., Result], bucket: str) -> None:
    assert_refused(run("publish", "--bucket", bucket), "no trained model under build/models")
    assert_refused(run("publish", "elsewhere", "--bucket", bucket), "elsewhere is not a trained model")


def test_unknown_version_is_named(run: Callable[..., Result], bucket: str) -> None:
    assert_refused(run("promote", "v9", "--bucket", bucket), f"no version v9 in bucket {bucket}")


def test_lack_of_credentials_is_explained(
    run: Callable[..., Result], bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert_refused(run("list", "--bucket", bucket), "no AWS credentials")


def test_endpoint_that_refuses_is_named(run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert_refused(run("list", "--bucket", "models"), f'Could not connect to the endpoint URL: "{url}')


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("AWS_PROFILE", "nobody", "S3 cannot be used: The config profile (nobody)"),
        ("AWS_ENDPOINT_URL", "localhost", "S3 cannot be used: Invalid endpoint: localhost"),
        (
            "MODEL_BUCKET",
            "not a name",
            'S3 cannot be used: Parameter validation failed: Invalid bucket name "not a name"',
        ),
    ],
)
def test_setting_that_boto3_refuses_is_named(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv("MODEL_BUCKET", "models")
    monkeypatch.setenv(name, value)
    assert_refused(run("list"), reason)


def test_output_that_cannot_be_written_is_refused_in_one_line(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run("train", "--epochs", "1", "--output", str(tmp_path / "file" / "models"))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
