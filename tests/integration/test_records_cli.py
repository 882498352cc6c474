"""`python -m records`, on a local stack and on an environment of AWS."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner, Result

from deploy.environment import Environment
from lambda_app.log.database import Database
from lambda_app.settings import Settings
from local.aws_services import ACCOUNT, REGION, REPOSITORY, AwsServices
from local.environment import build_service_environment
from local.functions import write_ports
from local.records import make_record
from local.seed import migrate_database
from local.stack import Stack, running_stack
from records.commands import app
from tests.records import insert
from tests.standins.functions import Functions, ThrottledError

REASON = ("--reason", "a letter")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clone")


@pytest.fixture(scope="module")
def stack(directory: Path) -> Iterator[Stack]:
    with running_stack(directory / "build" / "local", 0) as stack:
        migrate_database(stack.postgres, Settings.from_env(build_service_environment(stack, "migrate")))
        write_ports(stack, directory / "build" / "local")
        with closing(Database(Settings.from_env(build_service_environment(stack, "api")))) as database:
            insert(database, *(make_record(subject=name) for name in ("ada", "ada", "bo", "cy")))
        yield stack


@pytest.fixture
def run(directory: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    # AWS settings of the shell must not matter.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}

    def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "records", *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run_command


Run = Callable[..., subprocess.CompletedProcess[str]]


def test_without_a_stack_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, told in {
        ("status",): "which stack? Name an environment by --env, or start the local stack by `make run`",
        ("status", "--local"): "the local stack is not up: start it by `make run`",
        ("status", "--local", "--env", "dev"): "--env and --local exclude each other",
    }.items():
        done = CliRunner().invoke(app, arguments)
        assert (done.exit_code, done.stderr) == (1, f"Error: {told}\n")


def test_a_half_written_file_of_ports_is_no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ports = tmp_path / "build" / "local" / "ports.json"
    ports.parent.mkdir(parents=True)
    ports.write_text('{"host": "127')
    done = CliRunner().invoke(app, ("status", "--local"))
    assert (done.exit_code, done.stderr) == (1, "Error: the local stack is not up: start it by `make run`\n")


@pytest.mark.usefixtures("stack")
def test_the_life_of_an_erasure_on_the_local_stack(run: Run) -> None:
    refused = run("erase", "--subject", "ada", *REASON)
    assert (refused.returncode, refused.stderr) == (1, "Error: nobody is here to be asked: pass --yes\n")
    assert run("hold", "add", "--subject", "ada", *REASON).stdout == "Hold 1 is in force\n"
    held = run("erase", "--subject", "ada", *REASON, "--yes")
    assert (held.returncode, held.stdout.splitlines()) == (
        3,
        [
            "Erasure 1 is open",
            "Kept by hold 1: 2 rows",
            "What is kept is erased by the first daily run after the hold",
        ],
    )
    shown = json.loads(run("show", "--subject", "ada").stdout)
    assert [record["subject"] for record in shown["records"]] == ["ada", "ada"]
    assert shown["outcomes"] == []
    assert ([hold["id"] for hold in shown["holds"]], [one["id"] for one in shown["open_erasures"]]) == ([1], [1])
    status = run("status").stdout
    assert "Holds: 1\nOpen erasure 1: since " in status
    assert "\nOutcomes: about 0, 0 recorded in the last 24 hours, " in status
    assert "\nLast export of outcomes: none\n" in status
    assert run("hold", "remove", "1").returncode == 0
    done = run("run").stdout
    assert done.startswith("Erasures: 1 completed, 0 are still open\nPartitions made: ")
    assert "\nExported predictions: 0 of 0 days\n" in done
    assert done.endswith("\nOld outcomes deleted: 0\nOld Idempotency-Keys deleted: 0\n")
    # The records of today are exported tomorrow, so there is none of yesterday.
    again = run("export-again", (datetime.now(UTC) - timedelta(days=1)).date().isoformat())
    assert again.stdout.startswith("Exported 0 rows of predictions of "), again.stderr
    assert again.stdout.endswith(", in place of 0 in 0 files\n")
    assert json.loads(run("show", "--subject", "ada").stdout)["records"] == []
    assert " (removed " in run("hold", "list").stdout
    assert run("erase", "--subject", "bo", *REASON, "--yes").stdout == "Erasure 2 is complete\nErased: 1 row\n"
    mistyped = run("erase", "--subject", "bob", *REASON, "--yes")
    assert (mistyped.returncode, mistyped.stdout.splitlines()) == (
        0,
        [
            "Erasure 3 is complete",
            "Nothing was found. If something should be there, look at the subject or the id once more",
        ],
    )
    status = run("status").stdout
    assert "Rows: about 1, 1 recorded in the last 24 hours\n" in status
    assert "\nDisk full in: not known, because no setting tells the size of the disk\n" in status
    period = ("--from", "2026-01-01", "--to", "2026-03-31")
    assert run("hold", "add", *period, *REASON).stdout == "Hold 2 is in force\n"
    assert "\nHold 2: the days from 2026-01-01 to 2026-03-31 (UTC), since " in run("hold", "list").stdout


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("erase", "--yes"), "pass either --subject or --request-id"),
        (("erase", "--yes", "--request-id", "4711"), "--request-id must be a UUID"),
        (("hold", "add"), "pass one of --subject, --caller, or --from with --to"),
        (("hold", "add", "--from", "2026-01-01"), "a period has both --from and --to"),
        (("hold", "add", "--from", "2026-03-01", "--to", "2026-02-01"), "--to must not be before --from"),
        (("hold", "add", "--from", "March", "--to", "2026-02-01"), "--from must be a day such as 2026-01-31"),
    ],
)
def test_a_mistake_is_told_in_a_line(arguments: tuple[str, ...], told: str, run: Run) -> None:
    done = run(*arguments, *REASON)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {told}\n")


@pytest.fixture
def invoke(aws: AwsServices, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command with a function that Lambda knows as maintain of dev."""

    def open_environment(name: str) -> Environment:
        print("what it says")
        session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)
        return Environment(name, ACCOUNT, REGION, session)

    def invoke_command(function: Callable[..., Any], *arguments: str) -> Result:
        with Functions(aws.port, **{"diabetes-dev-maintain": function}) as functions:
            monkeypatch.setattr("stacks.choice.open_environment", open_environment)
            monkeypatch.setattr("records.commands.PAUSE_SECONDS", 0.0)
            monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", functions.url)
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.endpoint_url)
            return CliRunner().invoke(app, [*arguments, "--env", "dev"])

    return invoke_command


ERASED = {"erasure": 7, "erased": {"predictions": 2}, "kept_by_holds": {}, "unreadable_messages": 0}


def test_an_erasure_on_aws_is_asked_for_until_it_is_complete(invoke: Callable[..., Result]) -> None:
    events: list[dict[str, Any]] = []

    def maintain(event: dict[str, Any], _: Any) -> dict[str, Any]:
        events.append(event)
        if len(events) == 1:
            raise ThrottledError
        if len(events) == 2:
            raise RuntimeError("Task timed out after 900.00 seconds")
        return ERASED | ({"waits_for": "time"} if len(events) == 3 else {})

    done = invoke(maintain, "erase", "--subject", "ada", *REASON, "--yes")
    assert (done.exit_code, done.stdout) == (0, "Erasure 7 is complete\nErased: 2 rows\n")
    assert done.stderr.splitlines() == [
        "what it says",
        "diabetes-dev-maintain is at work, and did not answer",
        "Asking again every 0 s; after Ctrl-C it stays open, and the daily run goes on with it",
        "diabetes-dev-maintain ran out of time, and goes on when it is asked again",
        "Erasure 7 is open",
        "Erased: 2 rows",
        "It waits for time",
    ]
    by = events[0]["by"]
    assert by.startswith("arn:aws:")
    first = {"by": by, "task": "erase", "subject": "ada", "request_id": None, "reason": "a letter"}
    assert events == [first] * 3 + [{"by": by, "task": "erase", "erasure": 7}]


def test_an_outage_is_told_once_and_ended_by_asking_again(invoke: Callable[..., Result]) -> None:
    answers: list[dict[str, Any]] = [
        {"waits_for": "a service that does not answer (ConnectionRefusedError)"},
        *[{"erasure": 7, "waits_for": "a service that does not answer (DatabaseError 57P03)"}] * 3,
        ERASED,
    ]
    events: list[dict[str, Any]] = []

    def maintain(event: dict[str, Any], _: Any) -> dict[str, Any]:
        events.append(event)
        return answers[len(events) - 1]

    done = invoke(maintain, "erase", "--subject", "ada", *REASON, "--yes")
    assert (done.exit_code, done.stdout) == (0, "Erasure 7 is complete\nErased: 2 rows\n")
    assert done.stderr.splitlines()[1:] == [
        "The erasure is not begun. It waits for a service that does not answer (ConnectionRefusedError)",
        "Asking again every 0 s; after Ctrl-C it stays open, and the daily run goes on with it",
        "Erasure 7 is open. It waits for a service that does not answer (DatabaseError 57P03)",
    ]
    assert [event.get("erasure") for event in events] == [None, None, 7, 7, 7]


def test_the_question_names_the_subject(invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("records.commands._ask", lambda question, *_: asked.append(question))
    assert invoke(lambda *_: ERASED, "erase", "--subject", "ada", *REASON).exit_code == 0
    assert asked == ["Erase all records of subject 'ada' from dev, for good?"]


def test_ctrl_c_during_the_imports_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise KeyboardInterrupt")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    done = subprocess.run(
        [sys.executable, "-m", "records", "status"], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "Stopped\n")


def test_a_failure_on_aws_is_told_in_a_line(invoke: Callable[..., Result]) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("status: ConnectionRefusedError")

    done = invoke(fail, "status")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: diabetes-dev-maintain failed (RuntimeError: status: ConnectionRefusedError): more is in the log group "
        "/aws/lambda/diabetes-dev-maintain"
    )
    assert "there is a mistake" in invoke(lambda *_: {"error": "there is a mistake"}, "status").stderr


def test_a_missing_function_is_named(invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacks.functions.PREFIX", "other")
    told = invoke(lambda *_: {}, "status").stderr
    assert "there is no function other-dev-maintain with an alias live: deploy this version first" in told
