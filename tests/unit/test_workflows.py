"""The workflows of GitHub Actions, as far as they can be checked without GitHub."""

import re
from pathlib import Path

import pytest

from tests.commands import find_unknown_commands
from tests.workflows import ACTIONS, BY_INPUT, GITHUB, JOBS, ROOT, WORKFLOWS, list_steps, read

ENVIRONMENTS = ["dev", "staging", "prod"]


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


def test_actions_are_pinned_to_a_commit_or_are_here() -> None:
    for uses in [job["uses"] for job in JOBS.values() if "uses" in job] + [
        step["uses"] for step in list_steps() if "uses" in step
    ]:
        if uses.startswith("./"):
            path = ROOT / uses
            assert path in WORKFLOWS or path / "action.yml" in ACTIONS, uses
        else:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", uses), uses


def test_one_action_has_one_version() -> None:
    uses = {step["uses"] for step in list_steps() if not step.get("uses", "./").startswith("./")}
    assert len({each.partition("@")[0] for each in uses}) == len(uses)


def test_commands_in_scripts_exist() -> None:
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


def test_a_job_that_takes_the_role_runs_in_its_environment() -> None:
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


def test_the_changelog_begins_with_the_unreleased_changes() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", heading) for heading in headings[1:])


def test_hooks_run_the_locked_versions() -> None:
    """Nothing is fetched when one commits, and no version is written down a second time."""
    [local] = read(ROOT / ".pre-commit-config.yaml")["repos"]
    assert local["repo"] == "local"
    locked = (ROOT / "requirements/dev.txt").read_text(encoding="utf-8")
    for hook in local["hooks"]:
        assert hook["language"] == "system"
        if found := re.match(r"\.venv/bin/python -m (\w+)", hook["entry"]):
            assert re.search(rf"^{found[1]}==", locked, re.MULTILINE)
