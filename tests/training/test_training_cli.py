"""The command line: its output and exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.bundles import copy_bundle, load_predictor
from tests.training.command_line import WHY, Run, assert_refused, strip_colours
from training.export import write_serving_artifacts
from training.fit import Curves, Ensemble
from training.validate import build_ridge

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PROJECT = Path(__file__).parents[2]
HEADER = "version\tcreated_at\trmse\tr2\tcoverage\tmean_width\tforced\tstatus"


def test_tensorflow_is_not_loaded_before_it_is_needed() -> None:
    program = "import sys, training.__main__; print({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & {*sys.modules})"
    answer = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert (answer.stdout, answer.stderr) == ("set()\n", "")


def test_train_in_a_process_of_its_own_is_clean_and_repeats_the_model(
    quick: tuple[Ensemble, Curves], tmp_path: Path
) -> None:
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
    assert progress == [
        "Training the model: epoch 1 of 2",
        "Training the model: epoch 2 of 2",
        "Validating on held-out patients: epoch 1 of 2",
        "Validating on held-out patients: epoch 2 of 2",
    ]
    assert re.fullmatch(
        r"Held out, 442 patients: RMSE \d+\.\d\d, MAE \d+\.\d\d, R² -?\d\.\d{3}; "
        r"\d+\.\d% lie in their interval, \d+\.\d wide on average",
        held_out,
    )
    directory = Path(trained.removeprefix("Trained "))
    assert directory.parent == tmp_path / "models"

    write_serving_artifacts(tmp_path, quick[0])
    for name in ("model.tflite", "scaler.json", "interval.json"):
        assert (directory / name).read_bytes() == (tmp_path / name).read_bytes()


def test_evaluate_prints_the_table_and_writes_the_figures(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("training.baselines.BASELINES", {"ridge": build_ridge})
    result = run("evaluate", "--epochs", "1", "--output", str(tmp_path / "figures"))
    assert result.exit_code == 0
    assert "Training the ensemble: epoch 1 of 1\n" in result.stdout
    assert "Fitting ridge: fold 15 of 15\n" in result.stdout
    figures = json.loads((tmp_path / "figures" / "evaluation.json").read_bytes())
    assert set(figures["models"]) == {"ensemble", "ridge"}
    for model in figures["models"].values():
        assert f"{model['rmse']:.2f}" in result.stdout
    assert f"{figures['intervals']['coverage']:.1%}" in result.stdout
    assert (tmp_path / "figures" / "evaluation.png").exists()


def test_publish_promote_and_list(run: Run, bundle: Path, manifest: dict[str, Any], tmp_path: Path) -> None:
    assert run("list").stdout == f"{HEADER}\n"
    (tmp_path / "build").mkdir()
    (tmp_path / "build/models").symlink_to(bundle.parent)

    assert run("publish").stdout == f"Published {bundle.name}\n"
    again = run("publish", str(bundle))
    assert (again.exit_code, again.stdout) == (0, f"{bundle.name} is published already: nothing was uploaded\n")
    assert run("list").stdout.endswith("\t\t\n")
    assert_refused(run("show"), "no version is current yet")
    assert run("promote", bundle.name, *WHY).stdout.splitlines()[0] == f"{bundle.name} is current now"
    assert run("promote", bundle.name, *WHY).stdout == f"{bundle.name} is current already: nothing was changed\n"
    assert json.loads(run("show").stdout) == json.loads(run("show", bundle.name).stdout) == manifest

    listed = run("list")
    assert listed.exit_code == 0
    header, line = listed.stdout.splitlines()
    assert header == HEADER
    held_out = manifest["metrics"]["held_out"]
    rmse, r2, coverage, width = (held_out[name] for name in ("rmse", "r2", "coverage", "mean_width"))
    figures = [f"{rmse:.2f}", f"{r2:.3f}", f"{coverage:.3f}", f"{width:.1f}"]
    assert line.split("\t") == [bundle.name, manifest["created_at"], *figures, "", "current"]


def test_list_on_a_terminal_keeps_version_and_mark_however_narrow_it_is(
    run: Run, bucket: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert f"No version is published in {bucket}" in run("list").stdout
    run("publish", str(bundle))
    run("promote", bundle.name, *WHY)
    for columns in ("120", "80", "60", "40"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = strip_colours(run("list").stdout)
        [line] = [line for line in shown.splitlines() if bundle.name in line]
        assert "current" in line
        assert max(map(len, shown.splitlines())) <= int(columns)
        assert "RMSE" in shown

    green = "\x1b[1;32m"
    assert green in run("list").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert green not in run("list").stdout


def test_rollback_leads_to_the_version_before_and_back(
    run: Run, client: "S3Client", bucket: str, bundle: Path, tmp_path: Path
) -> None:
    def list_versions() -> list[tuple[str, str]]:
        rows = [line.split("\t") for line in run("list").stdout.splitlines()[1:]]
        return [(row[0], row[-1]) for row in rows]

    assert_refused(run("rollback", *WHY), "no version is current yet")
    for version, created_at in (("v1", "2026-01-02"), ("v2", "2026-01-03"), ("v3", "2026-01-01")):
        run("publish", str(copy_bundle(bundle, tmp_path, version=version, created_at=created_at)))
    run("promote", "v1", *WHY)
    assert_refused(run("rollback", *WHY), "there is none before it")
    run("promote", "v2", *WHY)
    told = run("rollback", *WHY).stdout.splitlines()[0]
    assert told == "v1 is current again, in place of v2. Another rollback would bring v2 back"
    assert list_versions() == [("v2", ""), ("v1", "current"), ("v3", "")]
    told = run("rollback", *WHY).stdout.splitlines()[0]
    assert told == "v2 is current again, in place of v1. Another rollback would bring v1 back"
    client.delete_object(Bucket=bucket, Key="models/v1/model.tflite")
    assert_refused(run("rollback", *WHY), "v1 is not whole: model.tflite is missing")
    assert list_versions() == [("v2", "current"), ("v1", ""), ("v3", "")]


def test_damaged_bundle_is_named(run: Run, bundle: Path, tmp_path: Path) -> None:
    files = {"../manifest.json": {"size": 1, "sha256": "0" * 64}}
    odd = copy_bundle(bundle, tmp_path, version="odd", files=files)
    assert_refused(run("publish", str(odd)), "names ../manifest.json, which lies elsewhere")
    (odd / "manifest.json").write_text("nonsense")
    assert_refused(run("publish", str(odd)), f"{odd} is damaged: manifest.json is not JSON\n")
    vague = copy_bundle(bundle, tmp_path, version="vague", metrics={"held_out": {"rmse": "good"}})
    run("publish", str(vague), "--force", "to see")
    assert_refused(run("list"), "models/vague/manifest.json is damaged")


def test_publish_of_a_model_that_fails_a_gate_needs_a_reason(
    run: Run, client: "S3Client", bucket: str, bundle: Path, manifest: dict[str, Any], tmp_path: Path
) -> None:
    metrics = {**manifest["metrics"], "ridge": {**manifest["metrics"]["ridge"], "rmse": 40.0}}
    worse = str(copy_bundle(bundle, tmp_path, version="worse", metrics=metrics))

    assert_refused(run("publish", worse), "worse was not published: its RMSE of")
    assert_refused(run("publish", worse, "--force", " "), "--force with a reason publishes it all the same")
    assert run("list").stdout == f"{HEADER}\n"

    assert run("publish", worse, "--force", "the old one is broken").stdout == "Published worse\n"
    assert_refused(run("publish", worse, "--force", "another reason"), "published already with other contents")
    assert "\tthe old one is broken\t\n" in run("list").stdout
    shown = json.loads(run("show", "worse").stdout)
    assert shown["forced"]["reason"] == "the old one is broken"
    assert len(shown["forced"]["failures"]) == 1
    assert run("promote", "worse", *WHY).exit_code == 0
    assert load_predictor(client, bucket, "litert").version == "worse"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--seed", "abc"], "'--seed': 'abc' is not a whole number from 0 to 4,294,967,295"),
        (["--epochs", "0"], "'--epochs': '0' is not a whole number from 1 to 100,000"),
        (["--schedule", "x"], "'--schedule': 'x' is not one of cosine, plateau"),
    ],
)
def test_wrong_value_of_an_option_is_told_in_one_line(run: Run, arguments: list[str], reason: str) -> None:
    result = run("train", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == f"Error: Invalid value for {reason}"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["list", "--bucket", ""], "pass --bucket or set MODEL_BUCKET"),
        (["list", "--bucket", "not a name"], "'not a name' is not the name of a bucket\n"),
        (["promote", "v1", "--bucket", "nowhere", *WHY], "there is no bucket nowhere"),
        (["promote", "v9", *WHY], "there is no version 'v9' in bucket test-"),
        (["promote", "v9"], "no reason: say with --reason why"),
        (["rollback", "--reason", " \n"], "no reason: say with --reason why"),
        (["rollback", "--reason", "x" * 501], "the reason must have at most 500 characters"),
        (["rollback", "--reason", "\x1b[2J"], "and none that can't be printed"),
        (["show", "v9"], "there is no version 'v9' in bucket test-"),
        (["publish"], "no trained model under build/models"),
        (["publish", "elsewhere"], "elsewhere is not a trained model"),
        (["train", "--epochs", "1", "--output", "/dev/null/models"], "/dev/null"),
    ],
)
def test_wrong_arguments_are_refused(run: Run, arguments: list[str], reason: str) -> None:
    assert_refused(run(*arguments), reason)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"AWS_PROFILE": "nobody"}, "there is no AWS profile nobody: check AWS_PROFILE\n"),
        ({"AWS_ENDPOINT_URL": "localhost"}, "AWS_ENDPOINT_URL is no URL: it must begin with http:// or https://\n"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "S3 can't be reached: nothing answers at 127.0.0.1:9\n"),
        ({"AWS_SECRET_ACCESS_KEY": ""}, "the AWS credentials are incomplete: AWS_SECRET_ACCESS_KEY is missing\n"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "no AWS credentials"),
    ],
)
def test_wrong_setting_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], reason: str
) -> None:
    for name, value in changed.items():
        monkeypatch.setenv(name, value)
    assert_refused(run("list"), reason)


@pytest.mark.usefixtures("run")
def test_full_disk_behind_the_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "training", "list"],
            cwd=PROJECT,
            env=os.environ | {"PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, "Error: No space left on device\n")
