"""The rights that docs/deploying.md names for publishers and verifiers are enough for their commands."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from typer.testing import CliRunner, Result

from local.aws_services import REGION
from tests.bundles import copy_bundle
from tests.terraform.account import build_policy
from tests.terraform.server import serve_aws
from training.__main__ import app

BUCKET = "models-of-rights"
READ = ("s3:GetObject", "s3:ListBucket")
VERIFIER = (*READ, "s3:ListBucketVersions", "kms:Verify")
PUBLISHER = (*READ, "s3:PutObject", "kms:Sign", "kms:Verify")
WHY = ("--reason", "a test")
Run = Callable[..., Result]


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_aws("tests.terraform.guarded_aws", tmp_path_factory.mktemp("rights") / "server.log") as url:
        yield url


@pytest.fixture(scope="module")
def become(endpoint_url: str) -> Callable[..., dict[str, str]]:
    """Return the environment variables of a new user with these rights."""
    session = boto3.Session("local", "local", region_name=REGION)
    clients: dict[str, Any] = {name: session.client(name, endpoint_url=endpoint_url) for name in ("iam", "kms", "s3")}
    iam = clients["iam"]
    clients["s3"].create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    clients["s3"].put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    key = clients["kms"].create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    made: dict[tuple[str, ...], dict[str, str]] = {}

    def make_user(*actions: str) -> dict[str, str]:
        name = f"user-{len(made)}"
        iam.create_user(UserName=name)
        statements = [{"Effect": "Allow", "Action": [action], "Resource": _name_resource(action)} for action in actions]
        iam.put_user_policy(UserName=name, PolicyName="this", PolicyDocument=build_policy(statements))
        access = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": access["SecretAccessKey"],
            "MODEL_BUCKET": BUCKET,
            "MODEL_SIGNING_KEY": key,
        }

    for actions in (VERIFIER, PUBLISHER):
        made[actions] = make_user(*actions)
    headers = {"Content-Type": "text/plain"}
    request = Request(f"{endpoint_url}/moto-api/reset-auth", b"0", headers)  # noqa: S310
    with urlopen(request, timeout=5) as answer:  # noqa: S310
        assert json.load(answer)["status"] == "ok"
    return lambda *actions: made[actions]


def _name_resource(action: str) -> str:
    # moto compares no resource of KMS.
    if action.startswith("kms:"):
        return "*"
    return f"arn:aws:s3:::{BUCKET}" + ("" if "List" in action else "/models/*")


@pytest.fixture
def run_as(become: Callable[..., dict[str, str]]) -> Callable[..., Result]:
    def run(actions: tuple[str, ...], *arguments: str) -> Result:
        return CliRunner().invoke(app, arguments, env={**os.environ, **become(*actions)})

    return run


@pytest.fixture
def versions(run_as: Run, bundle: Path, tmp_path: Path) -> tuple[str, str]:
    """Publish two versions of this test, of which the first is current."""
    names = (f"{tmp_path.name}-a", f"{tmp_path.name}-b")
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    served = {name: manifest["files"][name] for name in ("model.tflite", "scaler.json", "interval.json")}
    for name in names:
        done = run_as(PUBLISHER, "publish", str(copy_bundle(bundle, tmp_path, name, files=served)))
        assert done.exit_code == 0, done.stderr
    done = run_as(PUBLISHER, "promote", names[0], *WHY)
    assert done.exit_code == 0, done.stderr
    return names


def test_a_publisher_has_the_rights_for_all_commands(run_as: Run, versions: tuple[str, str]) -> None:
    first, second = versions
    for arguments in (
        ("promote", second, "--shadow"),
        ("promote", second, "--canary", "5%"),
        ("abort",),
        ("promote", second),
        ("rollback",),
    ):
        done = run_as(PUBLISHER, *arguments, *WHY)
        assert done.exit_code == 0, done.stderr
    for arguments in (("list",), ("show",), ("history",), ("verify", first)):
        assert run_as(PUBLISHER, *arguments).exit_code == 0


def test_a_verifier_verifies_and_changes_nothing(run_as: Run, versions: tuple[str, str]) -> None:
    first, second = versions
    for arguments in (("verify", first), ("history", "--verify")):
        done = run_as(VERIFIER, *arguments)
        assert done.exit_code == 0, done.stdout + done.stderr
    refused = run_as(VERIFIER, "promote", second, *WHY)
    assert refused.exit_code == 1
    assert "S3 does not let these credentials do that" in refused.stderr
    assert run_as(VERIFIER, "history", "--verify").exit_code == 0
