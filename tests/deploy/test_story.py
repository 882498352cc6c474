"""An environment from nothing to a prediction, to the next release, and to nothing again.

Terraform, its provider, the state in S3, the migrate and api functions, PostgreSQL, TLS and the signature are real; the
module environment is small, since tests/terraform applies the real one, and `docker` only writes down what it is told.
"""

import os
import pty
import re
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pg8000.exceptions import DatabaseError

from lambda_app.telemetry import LambdaHandler
from local.aws_services import ACCOUNT, AwsServices
from local.certificates import Certificates
from local.ports import find_free_ports
from local.postgres import Postgres
from tests.deploy.conftest import KEY_ID, REPOSITORY, SECRET, STATE_BUCKET, Clone
from tests.standins.functions import Functions
from tests.standins.gateway import Gateway
from tests.terraform.program import require_terraform
from tests.workflows import BY_INPUT, JOBS, run_script

BUCKET = f"diabetes-dev-models-{ACCOUNT}"
Wire = Callable[..., LambdaHandler]
Connect = Callable[[str], Any]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[AwsServices]:
    """Start an account for each test, so that a test that fails leaves nothing to the next."""
    [port] = find_free_ports(1)
    with AwsServices(tmp_path / "aws.log", port) as cloud:
        yield cloud


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """Start a database without tables, as RDS does."""
    [port] = find_free_ports(1)
    with Postgres(tmp_path / "postgres", port) as postgres:
        yield postgres


@pytest.fixture
def functions(wire: Wire, cloud: AwsServices, postgres: Postgres) -> Iterator[Functions]:
    def migrate(event: dict[str, Any], context: Any) -> dict[str, Any]:
        answer: dict[str, Any] = wire("migrate", DATABASE_PORT=str(postgres.login.port))(event, context)
        # On AWS the proxy logs in for the roles; here they have passwords.
        postgres.set_role_passwords()
        return answer

    with Functions(cloud.port, **{"diabetes-dev-migrate": migrate}) as functions:
        yield functions


@pytest.fixture
def gateway(wire: Wire, cloud: AwsServices, postgres: Postgres, certificates: Certificates) -> Iterator[Gateway]:
    """The API, whose function starts with the first request, as on Lambda."""
    started: list[LambdaHandler] = []

    def api(event: dict[str, Any], context: Any) -> dict[str, Any]:
        if not started:
            own = {"AWS_ENDPOINT_URL": cloud.endpoint_url, "MODEL_BUCKET": BUCKET}
            started.append(wire("api", DATABASE_PORT=str(postgres.login.port), **own))
        answer: dict[str, Any] = started[0](event, context)
        return answer

    with Gateway(api, certificates.server, KEY_ID, SECRET) as gateway:
        yield gateway


@pytest.fixture
def site(clone: Clone, functions: Functions, gateway: Gateway, bundle: Path, bootstrap: None) -> Clone:
    """A clone whose module environment is small, and whose API is served by the functions and the gateway."""
    require_terraform()
    module = clone.path / "terraform" / "modules" / "environment"
    (module / "outputs.tf").unlink()
    small = (REPOSITORY / "tests" / "deploy" / "small_environment.tf").read_text()
    (module / "main.tf").write_text(small.replace("API_URL", gateway.url))
    clone.environment["AWS_ENDPOINT_URL_LAMBDA"] = functions.url
    shutil.copytree(bundle, clone.path / "build" / "models" / bundle.name)
    return clone


def test_from_nothing_to_a_prediction_to_the_next_release_and_to_nothing(
    site: Clone, gateway: Gateway, connect_service: Connect, bundle: Path
) -> None:
    assert site.refuse("migrate", "--env", "dev") == (
        "dev is not there, or not whole: run `python -m deploy plan --env dev`, then `apply`"
    )
    commit = site.git("rev-parse", "HEAD")
    assert site.refuse("plan", "--env", "dev") == (
        f"ECR has no image of this commit ({commit}): run `python -m deploy image --env dev`"
    )

    first = site.deploy("all", "--env", "dev", "--yes")
    assert first.returncode == 0, first.stdout + first.stderr
    serve, analyse, migrated, model, works = [line for line in first.stdout.splitlines() if _is_ours(line)]
    assert serve.startswith(f"Image serve {ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/diabetes@sha256:")
    assert migrated == "Migrated: " + ", ".join(
        sorted(path.name for path in (REPOSITORY / "lambda_app" / "log" / "migrations").glob("*.sql"))
    )
    assert model == f"Published and promoted model {bundle.name}"
    assert works.startswith(f"{gateway.url} works: prediction ")
    assert gateway.faults == []
    # What was planned is what runs, by its digest.
    for image, function in ((serve, "api"), (analyse, "maintain")):
        deployed = connect_service("lambda").get_function(FunctionName=f"diabetes-dev-{function}", Qualifier="live")
        assert deployed["Code"]["ImageUri"] == image.rpartition(" ")[2]
    assert _list_states(connect_service) == ["dev.tfstate"]

    # A promotion since then is somebody's decision, and stays.
    pointer = connect_service("s3").get_object(Bucket=BUCKET, Key="models/current.json")["ETag"]
    shutil.rmtree(site.path / "build" / "models")
    again = site.deploy("all", "--env", "dev")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "No changes." in again.stdout
    assert [line for line in again.stdout.splitlines() if _is_ours(line)][2:4] == [
        "The schema is up to date",
        f"Model {bundle.name} is current, and stays",
    ]
    assert connect_service("s3").get_object(Bucket=BUCKET, Key="models/current.json")["ETag"] == pointer

    # The next release is planned, shown, and applied by a step of its own.
    (site.path / "lambda_app" / "new.py").write_text("")
    site.git("add", "lambda_app")
    site.git("commit", "--quiet", "--message", "next")
    assert site.deploy("image", "--env", "dev").returncode == 0
    plan = site.deploy("plan", "--env", "dev")
    assert plan.returncode == 0, plan.stderr
    assert "0 to add, 6 to change, 0 to destroy" in plan.stdout
    assert site.refuse("apply", "--env", "dev") == "nobody is here to be asked: pass --yes (make: YES=1)"
    assert _answer(site, "apply", "no") == (1, "Error: not confirmed, so nothing was done")
    assert _answer(site, "apply", "yes")[0] == 0
    assert site.refuse("apply", "--env", "dev", "--yes") == (
        "nothing is planned: run `python -m deploy plan --env dev` first"
    )

    assert site.refuse("destroy", "--env", "dev") == "nobody is here to be asked: pass --yes (make: YES=1)"
    assert _answer(site, "destroy", "yes")[0] == 1
    gone = site.deploy("destroy", "--env", "dev", "--yes")
    assert gone.returncode == 0, gone.stdout + gone.stderr
    assert gone.stdout.splitlines()[-1] == "dev is gone; images and states stay"
    assert BUCKET not in _list_buckets(connect_service)
    assert site.deploy("destroy", "--env", "dev").stdout.splitlines()[-1] == "There is nothing of dev"


def test_a_failed_migration_stops_the_rest_and_protection_stops_destroy(
    site: Clone, functions: Functions, connect_service: Connect
) -> None:
    root = site.path / "terraform" / "environments" / "dev" / "main.tf"
    protected = re.sub(r"(deletion_protection +)= false", r"\1= true", root.read_text())
    root.write_text(re.sub(r"(force_destroy +)= true", r"\1= false", protected))
    real = functions.functions["diabetes-dev-migrate"]

    def fail(event: dict[str, Any], context: Any) -> None:
        # A row that violates a constraint is health data.
        detail = "Failing row contains (59, 2, 32.1)."
        raise DatabaseError({"S": "ERROR", "C": "23514", "M": "check constraint is violated", "D": detail})

    functions.functions["diabetes-dev-migrate"] = fail
    assert site.refuse("all", "--env", "dev", "--yes") == (
        "migrating failed, and nothing of it was kept: DatabaseError, SQLSTATE 23514. More is in the log group "
        "/aws/lambda/diabetes-dev-migrate; until it succeeds, the API keeps working with what the schema has"
    )
    # No model was published, and the next try goes on from here.
    assert connect_service("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0
    functions.functions["diabetes-dev-migrate"] = real
    done = site.deploy("migrate", "--env", "dev")
    assert done.returncode == 0, done.stdout + done.stderr

    assert site.refuse("destroy", "--env", "dev", "--yes") == (
        "nothing was destroyed, because dev is protected: module.environment.aws_rds_global_cluster.this has "
        "deletion_protection; module.environment.aws_s3_bucket.models has no force_destroy, and may hold models or "
        "records. Turn that off in terraform/environments/dev/main.tf, deploy, and then destroy"
    )
    assert BUCKET in _list_buckets(connect_service)


def test_plan_beyond_the_quota_of_the_account_is_refused(site: Clone, functions: Functions) -> None:
    root = site.path / "terraform" / "environments" / "dev" / "main.tf"
    root.write_text(root.read_text().replace("settings = {", "settings = {\n    api_reserved_concurrency = 20"))
    assert site.deploy("image", "--env", "dev").returncode == 0
    functions.quota = 10
    assert site.refuse("plan", "--env", "dev") == (
        "dev needs a quota of 160 concurrent executions, and the account has 10: 60 for dev, 0 reserved by others, 100 "
        "that must stay unreserved. Request it: `aws service-quotas request-service-quota-increase "
        "--service-code lambda --quota-code L-B99A9384 --desired-value 160 --region eu-west-1`. "
        "Or leave out api_reserved_concurrency and provisioned_concurrency in terraform/environments/dev/main.tf"
    )
    assert site.refuse("apply", "--env", "dev", "--yes").startswith("nothing is planned: ")
    functions.quota = 160
    assert site.deploy("plan", "--env", "dev").returncode == 0


def test_without_bootstrap_there_is_no_state(clone: Clone) -> None:
    assert clone.refuse("apply", "--env", "dev") == (
        f"there is no bucket {STATE_BUCKET} for the states: apply terraform/bootstrap to this account first"
    )


def test_ctrl_c_waits_until_terraform_has_written_its_state(site: Clone, connect_service: Connect) -> None:
    assert site.deploy("image", "--env", "dev").returncode == 0
    assert site.deploy("plan", "--env", "dev").returncode == 0
    with site.start("deploy", "apply", "--env", "dev", "--yes") as process:
        assert process.stdout
        assert process.stderr
        while "Creating..." not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130, output + errors
    assert "Stopped. What was done is kept; to go on, run the same again" in errors
    assert "Gracefully shutting down" in output
    # No lock is left behind, and the next goes on from there.
    assert _list_states(connect_service) == ["dev.tfstate"]
    again = site.deploy("plan", "--env", "dev")
    assert again.returncode == 0, again.stdout + again.stderr


def test_the_workflow_hands_its_plan_from_one_checkout_to_the_next(
    site: Clone, connect_service: Connect, bundle: Path, tmp_path: Path
) -> None:
    """Run its two jobs in two clones, with only the artifact between them."""
    plan, apply = JOBS["environment.plan"], JOBS["environment.apply"]
    _run_job(site, plan)
    assert "0 to change, 0 to destroy." in (site.path / "build/plan.md").read_text(encoding="utf-8")

    leftovers = shutil.ignore_patterns("build", ".terraform*", "__pycache__")
    other = Clone(tmp_path / "other", site.environment)
    shutil.copytree(site.path, other.path, ignore=leftovers, symlinks=True)
    [upload] = [step["with"] for step in plan["steps"] if "upload-artifact" in step.get("uses", "")]
    for name in upload["path"].split("\n")[:-1]:
        file = Path(name.replace(BY_INPUT, "dev"))
        (other.path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(site.path / file, other.path / file)
    shutil.copytree(bundle, other.path / "build" / "models" / bundle.name)
    shown = _run_job(other, apply)
    assert shown.splitlines()[-1].endswith("was given, recorded and read back")
    assert _list_states(connect_service) == ["dev.tfstate"]


def _run_job(clone: Clone, job: dict[str, Any]) -> str:
    """Run its scripts as a runner does, and return what they show."""
    if not (clone.path / ".venv").exists():
        (clone.path / ".venv").symlink_to(sys.prefix)
    given = {"ENVIRONMENT": "dev", "GITHUB_SHA": "0" * 40, "GITHUB_STEP_SUMMARY": os.devnull}
    shown = ""
    for script in [step["run"] for step in job["steps"] if "run" in step]:
        done = run_script(script, clone.path, **clone.environment, **given)
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        shown += done.stdout
    return shown


def _answer(site: Clone, step: str, answer: str) -> tuple[int, str]:
    """Type an answer at a terminal; return the exit code and the last line that is shown."""
    ours, theirs = pty.openpty()
    process = site.start("deploy", step, "--env", "dev", stdin=theirs)
    os.write(ours, f"{answer}\n".encode())
    _, errors = process.communicate(timeout=120)
    os.close(ours)
    os.close(theirs)
    return process.returncode, (errors.splitlines() or [""])[-1]


def _is_ours(line: str) -> bool:
    return line.startswith(("Image ", "Migrated: ", "The schema", "Published", "Model ")) or " works: " in line


def _list_states(connect_service: Connect) -> list[str]:
    return [stored["Key"] for stored in connect_service("s3").list_objects_v2(Bucket=STATE_BUCKET).get("Contents", [])]


def _list_buckets(connect_service: Connect) -> list[str]:
    return [bucket["Name"] for bucket in connect_service("s3").list_buckets()["Buckets"]]
