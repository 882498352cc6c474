"""The workflows of GitHub Actions: what can be said of them without GitHub, and their scripts, run."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.commands import find_unknown_commands
from tests.machine import require

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))
ENVIRONMENTS = ["dev", "staging", "prod"]
BY_INPUT = "${{ inputs.environment }}"


def read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def list_jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        for name, job in read(path)["jobs"].items():
            yield f"{path.stem}.{name}", job


JOBS = dict(list_jobs())


def list_steps() -> Iterator[dict[str, Any]]:
    for job in JOBS.values():
        yield from job.get("steps", [])
    for path in ACTIONS:
        yield from read(path)["runs"]["steps"]


def find_script(job: dict[str, Any], word: str) -> str:
    [script] = [step["run"] for step in job["steps"] if word in step.get("run", "")]
    return str(script)


def run_script(script: str, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a runner does for `shell: bash`; programs in the directory come first."""
    path = f"{directory}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def gh(tmp_path: Path) -> Path:
    """A `gh` that writes down, a word a line, what it was told; returns what it wrote."""
    program = tmp_path / "gh"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>told.txt\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path / "told.txt"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_nothing_is_allowed_that_a_job_does_not_ask_for(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert "write-all" not in job["permissions"]
        if "uses" not in job:
            assert job["timeout-minutes"] <= 90
            assert "concurrency" in workflow


def test_actions_are_pinned_to_a_major_version_or_are_here() -> None:
    for uses in [job["uses"] for job in JOBS.values() if "uses" in job] + [
        step["uses"] for step in list_steps() if "uses" in step
    ]:
        if uses.startswith("./"):
            path = ROOT / uses
            assert path in WORKFLOWS or path / "action.yml" in ACTIONS, uses
        else:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@v\d+", uses), uses


def test_one_action_has_one_version() -> None:
    uses = {step["uses"] for step in list_steps() if not step.get("uses", "./").startswith("./")}
    assert len({each.partition("@")[0] for each in uses}) == len(uses)


def test_no_text_of_others_gets_into_a_script() -> None:
    """An expression is put in before the shell reads it; what is in the environment is not code."""
    scripts = [step["run"] for step in list_steps() if "run" in step]
    assert scripts
    assert [script for script in scripts if "${{" in script] == []


def test_no_token_stays_in_the_checkout() -> None:
    checkouts = [step for step in list_steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_scripts_run_what_there_is() -> None:
    scripts = [step["run"] for step in list_steps() if "run" in step]
    assert find_unknown_commands("\n".join(scripts)) == []
    assert any("python -m deploy" in script for script in scripts)


def test_the_pythons_are_those_of_the_project() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [(first, end)] = re.findall(r'^requires-python = ">=3\.(\d+),<3\.(\d+)"$', project, re.MULTILINE)
    matrix = JOBS["ci.test"]["strategy"]["matrix"]["python"]
    assert matrix == [f"3.{minor}" for minor in range(int(first), int(end))]
    image = re.findall(r"^FROM .*python:([\d.]+)", (ROOT / "Dockerfile.lambda").read_text("utf-8"), re.MULTILINE)
    assert {read(GITHUB / "actions/set-up/action.yml")["inputs"]["python"]["default"]} == set(image)


def test_deployments_go_from_one_environment_to_the_next() -> None:
    assert {path.name for path in (ROOT / "terraform/environments").iterdir()} == set(ENVIRONMENTS)
    workflow = read(GITHUB / "workflows/deploy.yml")
    # YAML takes the key `on` for a truth value.
    assert list(workflow[True]) == ["workflow_dispatch"]  # type: ignore[index]
    assert workflow[True]["workflow_dispatch"]["inputs"]["target"]["options"] == ENVIRONMENTS  # type: ignore[index]
    assert list(workflow["jobs"]) == ENVIRONMENTS
    for before, name in zip([None, *ENVIRONMENTS], ENVIRONMENTS, strict=False):
        job = workflow["jobs"][name]
        assert (job.get("needs"), job["with"]) == (before, {"environment": name})


def test_who_takes_the_role_runs_in_its_environment() -> None:
    """The role's trust names an environment: a job of none, or of another, would not get it."""
    takers = {
        name: job
        for name, job in JOBS.items()
        if any("take-role" in step.get("uses", "") for step in job.get("steps", []))
    }
    assert set(takers) == {"environment.plan", "environment.apply"}
    for job in takers.values():
        assert job["environment"] == BY_INPUT
        assert job["permissions"]["id-token"] == "write"
    others = [job for job in JOBS.values() if "steps" in job and job not in takers.values()]
    assert [job for job in others if "id-token" in job["permissions"]] == []


def test_the_role_is_the_one_that_bootstrap_makes(tmp_path: Path) -> None:
    require(shutil.which("jq"), "jq")
    action = read(GITHUB / "actions/take-role/action.yml")
    [account, credentials] = action["runs"]["steps"]
    directory = tmp_path / "terraform/environments/dev"
    directory.mkdir(parents=True)
    written = {"account_id": "012345678901", "region": "eu-west-1"}
    (directory / "terraform.tfvars.json").write_text(json.dumps(written), encoding="utf-8")
    output = tmp_path / "output"
    done = run_script(account["run"], tmp_path, ENVIRONMENT="dev", GITHUB_OUTPUT=str(output))
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(line.split("=") for line in output.read_text(encoding="utf-8").splitlines())
    role = credentials["with"]["role-to-assume"]
    for name, value in found.items():
        role = role.replace(f"${{{{ steps.account.outputs.{name} }}}}", value)
    github = (ROOT / "terraform/bootstrap/github.tf").read_text(encoding="utf-8")
    variables = (ROOT / "terraform/bootstrap/variables.tf").read_text(encoding="utf-8")
    [name] = re.findall(r'^  name +  ?= "(deploy-.+)"$', github, re.MULTILINE)
    [project] = re.findall(r'^variable "name" \{.+?default +  ?= "(\w+)"', variables, re.MULTILINE | re.DOTALL)
    name = name.replace("${var.name}", project).replace("${each.key}", "dev")
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


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", heading) for heading in headings[1:])


def test_hooks_run_what_is_locked() -> None:
    """Nothing is fetched when one commits, and no version is written down a second time."""
    [local] = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    locked = (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        if found := re.match(r"\.venv/bin/python -m (\w+)", hook["entry"]):
            assert re.search(rf"^{found[1]}==", locked, re.MULTILINE)


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
