"""The commands that change what is served: their sentences, their options, and the history that they leave."""

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambda_app.model.bundle import POINTER_KEY, sha256_hex
from local.aws_services import REPOSITORY
from tests.bundles import copy_bundle
from tests.training.command_line import WHY, Run, assert_refused, read_table, strip_colours
from training.registry import publish_bundle

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

FOLLOWS = "The functions follow within MODEL_REFRESH_SECONDS (60 by default)"


@pytest.fixture
def registry(client: "S3Client", bucket: str, bundle: Path, tmp_path: Path) -> str:
    """A bucket with four versions, of which v1 is current."""
    for day, version in enumerate(("v1", "v2", "v3", "v4"), start=1):
        created_at = f"2026-01-0{day}T00:00:00+00:00"
        publish_bundle(client, bucket, copy_bundle(bundle, tmp_path, version=version, created_at=created_at))
    return bucket


def tell(run: Run, *arguments: str) -> list[str]:
    done = run(*arguments, *WHY)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_a_story_from_shadow_to_rollback(run: Run, registry: str) -> None:
    assert tell(run, "promote", "v1") == ["v1 is current now", FOLLOWS]
    assert tell(run, "promote", "v2") == ["v2 is current now, in place of v1", f"{FOLLOWS}. `rollback` brings v1 back"]
    ends = f"{FOLLOWS}. `promote v3` makes it current, `abort` ends the trial"
    assert tell(run, "promote", "v3", "--shadow", "--sample", "20%") == [
        "v3 is tried as a shadow for 20 % of the cases, beside v2: its predictions are recorded, not answered",
        ends,
    ]
    assert tell(run, "promote", "v3", "--canary", "5%") == [
        "v3 is tried as a canary for 5 % of the cases, beside v2: it answers these",
        "Until now it was v3 as a shadow for 20 %",
        ends,
    ]
    assert tell(run, "promote", "v3", "--canary", "0.05") == ["v3 is tried so already: nothing was changed"]
    rows = read_table(run("list").stdout)
    assert [(row["version"], row["status"]) for row in rows] == [
        ("v4", ""),
        ("v3", "canary for 5 %"),
        ("v2", "current"),
        ("v1", ""),
    ]
    assert tell(run, "promote", "v4", "--shadow")[0].startswith("v4 is tried as a shadow for 100 % of the cases, ")
    assert tell(run, "abort") == ["The trial of v4 as a shadow for 100 % has ended", f"v2 stays current. {FOLLOWS}"]
    assert tell(run, "abort") == ["No version is tried: nothing was changed"]
    tell(run, "promote", "v3", "--canary", "50%")
    assert tell(run, "promote", "v3") == [
        "v3 is current now, in place of v2",
        "The trial of v3 as a canary for 50 % has ended",
        f"{FOLLOWS}. `rollback` brings v2 back",
    ]
    tell(run, "promote", "v4", "--canary", "5%")
    assert tell(run, "promote", "v3") == ["v3 stays current", "The trial of v4 as a canary for 5 % has ended", FOLLOWS]
    tell(run, "promote", "v4", "--canary", "5%")
    assert tell(run, "rollback") == [
        "v2 is current again, in place of v3. Another rollback would bring v3 back",
        "The trial of v4 as a canary for 5 % has ended",
        FOLLOWS,
    ]

    names = ["sequence", "action", "from", "to", "candidate_from", "mode_from", "share_from"]
    names += ["candidate_to", "mode_to", "share_to", "status"]
    rows = read_table(run("history").stdout)
    lines = [" ".join(row[name] or "-" for name in names) for row in rows]
    assert lines[0] == "12 rollback v3 v2 v4 canary 0.05 - - - in effect"
    assert lines[-4:] == [
        "4 canary v2 v2 v3 shadow 0.2 v3 canary 0.05 -",
        "3 shadow v2 v2 - - - v3 shadow 0.2 -",
        "2 promote v1 v2 - - - - - - -",
        "1 promote - v1 - - - - - - -",
    ]
    assert run("history", "--verify").exit_code == 0


@pytest.mark.parametrize(
    ("option", "value"),
    [(option, value) for option in ("--canary", "--sample") for value in ("0", "0%", "101%", "1.5", "NaN", "1", "-5%")]
    + [("--canary", value) for value in ("5,5%", "5%%", "", "inf", "1e-2", "five", "0." + 400 * "0" + "1")],
)
def test_a_share_that_is_none_is_refused(run: Run, option: str, value: str) -> None:
    result = run("promote", "v2", "--shadow", option, value, *WHY)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1] == (
        f"Error: Invalid value for '{option}': {value!r} is not a share above 0 and at most 100%, such as 5% or 0.05"
    )


def test_options_that_contradict_are_refused(run: Run) -> None:
    assert_refused(run("promote", "v2", "--shadow", "--canary", "5%", *WHY), "--shadow and --canary exclude each other")
    for wrong in (("--sample", "20%"), ("--sample", "20%", "--canary", "5%")):
        assert_refused(run("promote", "v2", *wrong, *WHY), "--sample goes with --shadow")
    for command in (("promote", "v2", "--shadow"), ("promote", "v2", "--canary", "5%"), ("abort",)):
        assert_refused(run(*command), "no reason: say with --reason why")


def test_history_and_list_on_a_terminal_however_narrow_it_is(
    run: Run, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert f"No change of the served version is written down in {registry}" in " ".join(run("history").stdout.split())
    tell(run, "promote", "v1")
    tell(run, "promote", "v2", "--shadow")
    tell(run, "promote", "v2", "--canary", "5%")
    for columns in (250, 120, 60):
        monkeypatch.setenv("COLUMNS", str(columns))
        shown = strip_colours(run("history").stdout)
        assert max(map(len, shown.splitlines())) <= columns
        assert ("RMSE" in shown) == (columns == 250)
        words = " ".join(shown.split())
        assert "a test" in words
        assert "arn:aws:sts::123456789012:user/moto" in words
        for told in ("v2 as a shadow for 100 %", "→ v2 as a canary for 5 %", "in effect"):
            assert told in words
        # Newest first.
        assert words.index("→ v2 as a canary for 5 %") < words.index("→ v2 as a shadow for 100 %")
    monkeypatch.setenv("COLUMNS", "120")
    [line] = [line for line in strip_colours(run("list").stdout).splitlines() if "v2" in line]
    assert "canary for 5 %" in line


def test_verify_exits_with_1_for_what_was_touched(run: Run, client: "S3Client", registry: str) -> None:
    tell(run, "promote", "v1")
    client.put_bucket_versioning(Bucket=registry, VersioningConfiguration={"Status": "Enabled"})
    client.delete_object(Bucket=registry, Key=POINTER_KEY)
    tell(run, "promote", "v2")
    # By the entries alone, the first might as well have been killed before it was carried out.
    assert run("history").stderr == ""
    found = run("history", "--verify")
    assert found.exit_code == 1
    assert found.stdout.startswith("models/current.json was deleted at 20")
    client.delete_object(Bucket=registry, Key="models/history/00000001.json")
    assert run("history", "--verify").stdout.startswith("models/history/00000001.json is missing\n")
    listed = run("history")
    assert (listed.exit_code, listed.stderr) == (0, "The history has faults: --verify names them\n")


@pytest.mark.parametrize("candidate", [["v2"], {"version": "\ud800"}, {"version": "\x1b[2J\n", "mode": "\ud800"}])
def test_the_trial_of_a_candidate_that_is_none_is_ended_and_shown(
    candidate: object, run: Run, client: "S3Client", registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(run, "promote", "v1")
    pointer = json.loads(client.get_object(Bucket=registry, Key=POINTER_KEY)["Body"].read())
    content = json.dumps({**pointer, "candidate": candidate}).encode()
    client.put_object(Bucket=registry, Key=POINTER_KEY, Body=content)
    assert_refused(run("rollback", *WHY), "`abort` ends the trial of a candidate that can't be read")
    assert len(read_table(run("list").stdout)) == 4
    assert tell(run, "abort") == [
        "The trial of a candidate that can't be read has ended",
        f"v1 stays current. {FOLLOWS}",
    ]
    [newest, _] = read_table(run("history").stdout)
    assert (newest["action"], newest["status"]) == ("abort", "in effect")
    assert newest["candidate_from"] == ("" if isinstance(candidate, list) else "?")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    assert "Tried: a candidate that can't be read → none" in " ".join(strip_colours(run("history").stdout).split())


def test_verify_finds_a_pointer_that_was_put_back_by_one_step(run: Run, client: "S3Client", registry: str) -> None:
    client.put_bucket_versioning(Bucket=registry, VersioningConfiguration={"Status": "Enabled"})
    digest = sha256_hex(client.get_object(Bucket=registry, Key="models/v1/manifest.json")["Body"].read())
    old = json.dumps({"version": "v1", "manifest_sha256": digest, "previous": "v2"}).encode()
    for content in (old, b"{}", old):
        # As a rollback before the history did.
        client.put_object(Bucket=registry, Key=POINTER_KEY, Body=content)
    time.sleep(1.1)
    tell(run, "promote", "v2")
    former = client.get_object(Bucket=registry, Key=POINTER_KEY)["Body"].read()
    tell(run, "promote", "v3")
    assert run("history", "--verify").exit_code == 0
    client.put_object(Bucket=registry, Key=POINTER_KEY, Body=former)
    # By the entries alone, the author of the second might as well have been killed before the swap.
    assert run("history").stderr == ""
    for version in ("v4", "v1"):
        found = run("history", "--verify")
        assert found.exit_code == 1
        [line] = found.stdout.splitlines()
        assert line.startswith("models/current.json was put back to an earlier one at 20")
        tell(run, "promote", version)


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("command", [("promote", "v1"), ("promote", "v1", "--shadow"), ("rollback",), ("abort",)])
def test_without_sts_nothing_is_changed(
    run: Run, client: "S3Client", bucket: str, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
    refused = run(*command, *WHY)
    assert_refused(refused, "nothing was changed: STS can't be reached: nothing answers at 127.0.0.1:9")
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert [key for key in keys if key == POINTER_KEY or "history" in key] == []


@pytest.mark.usefixtures("run", "registry")
def test_on_a_terminal_the_reason_is_asked_for() -> None:
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "training", "promote", "v1"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        os.write(leader, b"fewer errors\n")
        stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, "Reason: ")
    assert stdout == f"v1 is current now\n{FOLLOWS}\n"
    shown = subprocess.run(
        [sys.executable, "-m", "training", "history"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    [row] = read_table(shown.stdout)
    assert row["reason"] == "fewer errors"
    os.close(leader)
    os.close(follower)
