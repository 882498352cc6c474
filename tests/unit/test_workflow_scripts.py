"""The scripts in the workflows of GitHub Actions, run; only `gh` writes down what it is told."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lambda_app.project import PREFIX
from tests.machine import require
from tests.workflows import BY_INPUT, GITHUB, JOBS, ROOT, find_script, read, run_script


@pytest.fixture
def gh(tmp_path: Path) -> Path:
    """A `gh` that writes down, a word a line, what it was told; returns what it wrote."""
    program = tmp_path / "gh"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>told.txt\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path / "told.txt"


def test_the_role_is_the_one_that_bootstrap_makes(tmp_path: Path) -> None:
    require(shutil.which("jq"), "jq")
    action = read(GITHUB / "actions/take-role/action.yml")
    [account, credentials] = action["runs"]["steps"]
    directory = tmp_path / "terraform/environments/dev"
    directory.mkdir(parents=True)
    written = {"account_id": "012345678901", "region": "eu-west-1"}
    (directory / "terraform.tfvars.json").write_text(json.dumps(written), encoding="utf-8")
    (tmp_path / "problem").mkdir()
    shutil.copy(ROOT / "problem/project.json", tmp_path / "problem")
    output = tmp_path / "output"
    done = run_script(account["run"], tmp_path, ENVIRONMENT="dev", GITHUB_OUTPUT=str(output))
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line.split("=") for line in output.read_text(encoding="utf-8").splitlines())
    role = credentials["with"]["role-to-assume"]
    for name, value in found.items():
        role = role.replace(f"${{{{ steps.account.outputs.{name} }}}}", value)
    github = (ROOT / "terraform/bootstrap/github.tf").read_text(encoding="utf-8")
    [name] = re.findall(r'^  name +  ?= "(deploy-.+)"$', github, re.MULTILINE)
    name = name.replace("${local.prefix}", PREFIX).replace("${each.key}", "dev")
    assert role.replace(BY_INPUT, "dev") == f"arn:aws:iam::012345678901:role/{name}"
    assert found["region"] == "eu-west-1"
    assert ":environment:${each.key}" in github


def test_an_account_that_is_not_written_down_stops_the_deployment(tmp_path: Path) -> None:
    require(shutil.which("jq"), "jq")
    account = read(GITHUB / "actions/take-role/action.yml")["runs"]["steps"][0]
    done = run_script(account["run"], tmp_path, ENVIRONMENT="dev", GITHUB_OUTPUT=str(tmp_path / "output"))
    assert done.returncode != 0
    assert "terraform/environments/dev/terraform.tfvars.json" in done.stderr


def test_a_plan_of_any_length_fits_a_comment(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    (tmp_path / "build/plan.txt").write_text("…first\n" * 20000 + "Plan: 1 to add.\n", encoding="utf-8")
    script = find_script(JOBS["environment.plan"], "plan.md")
    summary = tmp_path / "summary"
    done = run_script(
        script, tmp_path, ENVIRONMENT="dev", GITHUB_SHA="0" * 40, GITHUB_STEP_SUMMARY=str(summary), LC_ALL="C.UTF-8"
    )
    assert (done.returncode, done.stderr) == (0, "")
    comment = (tmp_path / "build/plan.md").read_bytes().decode(errors="ignore")
    assert comment.startswith("### Plan for dev, commit 0000")
    assert comment.endswith("Plan: 1 to add.\n~~~~\n")
    assert len(comment) < 65536
    assert summary.read_bytes() == (tmp_path / "build/plan.md").read_bytes()


@pytest.mark.parametrize("number", ["", "12"])
def test_a_plan_goes_to_the_pull_request_if_there_is_one(tmp_path: Path, gh: Path, number: str) -> None:
    with (tmp_path / "gh").open("a", encoding="utf-8") as program:
        program.write(f'[ "$1" != api ] || echo "{number}"\n')
    script = find_script(JOBS["environment.comment"], "gh pr comment")
    done = run_script(script, tmp_path, GITHUB_REPOSITORY="owner/name", GITHUB_SHA="abc")
    assert (done.returncode, done.stderr) == (0, "")
    asked, _, commented = gh.read_text(encoding="utf-8").partition("// empty\n")
    assert asked.startswith("api\nrepos/owner/name/commits/abc/pulls\n")
    expected = f"pr\ncomment\n{number}\n--repo\nowner/name\n--body-file\nbuild/plan.md\n"
    assert commented == (expected if number else "")


CHANGES = "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n- New.\n\n### Model\n\n- Newer.\n\n## 0.1.0\n\n- Old.\n"


def test_a_tag_becomes_a_release_with_its_section_of_the_changelog(tmp_path: Path, gh: Path) -> None:
    done = release(tmp_path, "0.2.0", CHANGES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = gh.read_text(encoding="utf-8")
    assert told.startswith("release\ncreate\nv0.2.0\n")
    assert told.endswith("--title\n0.2.0\n--notes\n\n- New.\n\n### Model\n\n- Newer.\n")


@pytest.mark.parametrize(
    ("version", "changes", "fault"),
    [("0.3.0", CHANGES, "CHANGELOG.md says nothing of 0.3.0"), ("", CHANGES, "pyproject.toml has another version")],
)
def test_a_tag_that_nothing_else_knows_is_no_release(
    tmp_path: Path, gh: Path, version: str, changes: str, fault: str
) -> None:
    done = release(tmp_path, version, changes)
    assert done.returncode == 1
    assert fault in done.stdout
    assert not gh.exists()


def release(directory: Path, version: str, changes: str) -> subprocess.CompletedProcess[str]:
    """Tag the version, or, without one, a version that is not the project's."""
    (directory / "pyproject.toml").write_text(f'[project]\nversion = "{version or "9.9.9"}"\n', encoding="utf-8")
    (directory / "CHANGELOG.md").write_text(changes, encoding="utf-8")
    script = find_script(JOBS["release.release"], "gh release create")
    tag = f"v{version or '0.2.0'}"
    return run_script(script, directory, GITHUB_REF_NAME=tag, GITHUB_REPOSITORY="owner/name")


@pytest.fixture
def clone(tmp_path: Path, gh: Path) -> Path:
    """A clone with a lock in it, as the job of the locks has it."""
    require(shutil.which("git"), "git")
    origin, clone = tmp_path / "origin.git", tmp_path / "clone"
    for command in (
        f"git init --quiet --bare --initial-branch=main {origin}",
        f"git clone --quiet {origin} {clone} 2>/dev/null",
        f"mkdir {clone}/requirements && echo one==1 >{clone}/requirements/dev.txt && mv {tmp_path}/gh {clone}/gh",
        f"cd {clone} && git switch --quiet --create main && git add requirements",
        f"cd {clone} && git -c user.name=a -c user.email=a@b commit --quiet -m one && git push --quiet origin main",
    ):
        subprocess.run(["bash", "-c", command], check=True)
    return clone


def renew(clone: Path) -> str:
    """Run the script that follows `make lock`, and return what was told to `gh`."""
    done = run_script(
        find_script(JOBS["locks.renew"], "gh pr create"), clone, GITHUB_STEP_SUMMARY=str(clone / "summary")
    )
    assert done.returncode == 0, done.stderr
    told = clone / "told.txt"
    return told.read_text(encoding="utf-8") if told.exists() else ""


def test_locks_that_stay_are_told_and_no_more(clone: Path) -> None:
    assert renew(clone) == ""
    assert (clone / "summary").read_text(encoding="utf-8") == "Every lock is up to date\n"


def test_new_locks_come_as_a_pull_request_with_its_checks(clone: Path) -> None:
    (clone / "requirements/dev.txt").write_text("one==2\n", encoding="utf-8")
    told = renew(clone)
    assert "\npr\ncreate\n--head\nlocks\n" in told
    assert told.endswith("workflow\nrun\nci.yml\n--ref\nlocks\n")
    shown = subprocess.run(
        ["git", "-C", clone.parent / "origin.git", "show", "--format=%an: %s", "locks"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.startswith("github-actions[bot]: Locks: the newest versions\n")
    assert shown.endswith("-one==1\n+one==2\n")
