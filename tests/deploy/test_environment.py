"""The account, the region and the credentials that a deployment checks before it begins."""

import json
import re
from pathlib import Path

import boto3
import pytest
from typer.testing import CliRunner

from deploy.__main__ import app
from deploy.environment import Environment, open_environment
from deploy.errors import DeployError
from deploy.image import REPOSITORY as IMAGE_REPOSITORY
from lambda_app.project import PREFIX
from local.aws_services import ACCOUNT, REGION, AwsServices
from tests.deploy.conftest import KEY_ID, REPOSITORY, SECRET

FILE = Path("terraform/environments/dev/terraform.tfvars.json")
KNOWN = json.dumps({"account_id": ACCOUNT, "region": REGION})
INCOMPLETE = f"{FILE} must have an account_id of 12 digits and a region"


@pytest.fixture
def text(aws: AwsServices, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """Change to a directory that has only this text as the file of dev, as a user with credentials."""
    monkeypatch.chdir(tmp_path)
    FILE.parent.mkdir(parents=True)
    text: str = getattr(request, "param", KNOWN)
    FILE.write_text(text)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    return text


def refuse() -> str:
    with pytest.raises(DeployError) as caught:
        open_environment("dev")
    return str(caught.value)


@pytest.mark.usefixtures("text")
def test_environment_is_opened_with_credentials_of_its_account() -> None:
    environment = open_environment("dev")
    assert (environment.account_id, environment.region) == (ACCOUNT, REGION)


@pytest.mark.usefixtures("text")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AWS_ACCESS_KEY_ID", None, "no AWS credentials: set AWS_PROFILE, or run `aws configure`"),
        ("AWS_PROFILE", "nobody", "there is no AWS profile nobody: check AWS_PROFILE"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9", "STS can't be reached: nothing answers at 127.0.0.1:9"),
        ("AWS_ENDPOINT_URL", "nonsense", "AWS_ENDPOINT_URL is no URL: it must begin with http:// or https://"),
    ],
)
def test_wrong_setting_is_named(name: str, value: str | None, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if value is None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    else:
        monkeypatch.setenv(name, value)
    assert refuse() == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"region": "eu-west-1"}', INCOMPLETE),
        ('{"account_id": 12, "region": "eu-west-1"}', INCOMPLETE),
        ('{"account_id": "123456789012"}', INCOMPLETE),
        ("[]", INCOMPLETE),
        ("account_id = 1", f"{FILE} is not JSON: write account and region into it"),
        (
            KNOWN.replace(ACCOUNT, "999999999999"),
            f"dev belongs to account 999999999999, by {FILE}, and these credentials are of account {ACCOUNT} (arn:aws:",
        ),
    ],
    indirect=["text"],
)
def test_wrong_file_is_named(text: str, message: str) -> None:
    assert refuse().startswith(message), text


@pytest.mark.usefixtures("text")
def test_missing_file_and_missing_directory_are_named() -> None:
    FILE.unlink()
    assert refuse() == (
        f"{FILE} is missing: write the account and the region into it, such as "
        '{"account_id": "123456789012", "region": "eu-west-1"}'
    )
    FILE.parent.rmdir()
    assert refuse() == "there is no terraform/environments/dev here: run this at the top of the repository"


def test_unknown_environment_is_refused_with_the_known_ones() -> None:
    done = CliRunner().invoke(app, ["plan", "--env", "production"])
    assert done.exit_code == 2
    message = "Error: Invalid value for '--env': 'production' is not one of dev, staging, prod"
    assert done.stderr.splitlines()[-1] == message


def test_names_are_those_that_terraform_gives() -> None:
    terraform = REPOSITORY / "terraform"
    registry, state = ((terraform / "bootstrap" / f"{name}.tf").read_text() for name in ("registry", "state"))
    [repository] = re.findall(r'"aws_ecr_repository" "this" {.*?name += (\S+)', registry, re.DOTALL)
    assert (repository, PREFIX) == ("local.prefix", IMAGE_REPOSITORY)
    [bucket] = re.findall(r'bucket += "(\$.+)"', state)
    for environment in ("dev", "staging", "prod"):
        root = (terraform / "environments" / environment / "main.tf").read_text()
        here = Environment(environment, ACCOUNT, REGION, boto3.Session())
        assert bucket.replace("${local.prefix}", PREFIX).replace("${var.account_id}", ACCOUNT) == here.state_bucket_name
        assert re.findall(r'key += "(.+)"', root) == [here.state_key]
