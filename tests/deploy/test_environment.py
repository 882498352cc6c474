"""What a deployer must have said, and who they must be, before anything is done."""

import re

import boto3
import pytest

from deploy.environment import Environment
from deploy.image import REPOSITORY as IMAGE_REPOSITORY
from lambda_app.project import PREFIX
from local.aws_services import ACCOUNT, REGION
from tests.deploy.conftest import REPOSITORY, Clone

FILE = "terraform/environments/dev/terraform.tfvars.json"


def test_without_credentials_nothing_begins(clone: Clone) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del clone.environment[name]
    assert clone.refuse("image", "--env", "dev") == "no AWS credentials: set AWS_PROFILE, or run `aws configure`"


def test_an_unknown_profile_is_named(clone: Clone) -> None:
    line = clone.refuse("image", "--env", "dev", AWS_PROFILE="nobody")
    assert line == "there is no AWS profile nobody: check AWS_PROFILE"


def test_a_host_that_does_not_answer_is_named(clone: Clone) -> None:
    line = clone.refuse("image", "--env", "dev", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert line == "STS can't be reached: nothing answers at 127.0.0.1:9"


def test_an_address_that_is_none_is_told_so(clone: Clone) -> None:
    line = clone.refuse("image", "--env", "dev", AWS_ENDPOINT_URL="nonsense")
    assert line == "AWS_ENDPOINT_URL is no URL: it must begin with http:// or https://"


def test_a_missing_file_is_told_with_an_example(clone: Clone) -> None:
    (clone.path / FILE).unlink()
    assert clone.refuse("image", "--env", "dev") == (
        f"{FILE} is missing: write the account and the region into it, such as "
        '{"account_id": "123456789012", "region": "eu-west-1"}'
    )


@pytest.mark.parametrize(
    "text",
    ['{"region": "eu-west-1"}', '{"account_id": 12, "region": "eu-west-1"}', "[]", '{"account_id": "123456789012"}'],
)
def test_a_file_that_does_not_say_enough_is_told_so(clone: Clone, text: str) -> None:
    (clone.path / FILE).write_text(text)
    assert clone.refuse("image", "--env", "dev").startswith(f"{FILE} must have an account_id of 12 digits and a region")


def test_a_file_that_is_no_json_is_told_so(clone: Clone) -> None:
    (clone.path / FILE).write_text("account_id = 1")
    assert clone.refuse("image", "--env", "dev").startswith(f"{FILE} is not JSON: write account and region")


def test_another_directory_is_no_place_to_deploy_from(clone: Clone) -> None:
    clone.environment["PYTHONPATH"] = str(clone.path)
    elsewhere = clone.path / "docs"
    elsewhere.mkdir()
    clone.path = elsewhere
    line = clone.refuse("image", "--env", "dev")
    assert line == "there is no terraform/environments/dev here: run this at the top of the repository"


def test_an_environment_that_is_none_is_refused_with_those_that_are(clone: Clone) -> None:
    done = clone.deploy("plan", "--env", "production")
    assert done.returncode == 2
    told = "Error: Invalid value for '--env': 'production' is not one of dev, staging, prod"
    assert done.stderr.splitlines()[-1] == told


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
