"""Reads an environment's account and region, and compares them with the credentials before anything is done."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError

from deploy.errors import DeployError, explain_failures
from lambda_app.project import PREFIX
from training.aws_errors import describe_aws_error
from training.errors import describe_os_error

ROOTS = Path("terraform/environments")
# Terraform reads a file of this name by itself, so that account and region are written down once.
VARIABLES = "terraform.tfvars.json"


@dataclass(frozen=True)
class Environment:
    """An environment that may be worked on: the credentials are of its account."""

    name: str
    account_id: str
    region: str
    session: boto3.Session

    @property
    def root(self) -> Path:
        """Terraform's root."""
        return ROOTS / self.name

    @property
    def state_bucket_name(self) -> str:
        """As terraform/bootstrap calls it."""
        return f"{PREFIX}-states-{self.account_id}"

    @property
    def state_key(self) -> str:
        """As the root's backend calls it."""
        return f"{self.name}.tfstate"


def open_environment(name: str) -> Environment:
    """Read the environment's file and say who is about to work on it.

    DeployError when the file does not say enough, or when the credentials are of another account: a profile that was
    left in the shell must not decide where prod is.
    """
    try:
        session = boto3.Session()
    except BotoCoreError as error:
        raise DeployError(describe_aws_error(error, "AWS")) from error
    path = ROOTS / name / VARIABLES
    account_id, region = _read_variables(path)
    with explain_failures("STS"):
        identity = session.client("sts", region_name=region).get_caller_identity()
    if identity["Account"] != account_id:
        raise DeployError(
            f"{name} belongs to account {account_id}, by {path}, and these credentials are of account "
            f"{identity['Account']} ({identity['Arn']}): choose others, for example by AWS_PROFILE"
        )
    print(f"{name}: account {account_id}, {region}, as {identity['Arn']}", flush=True)
    return Environment(name, account_id, region, boto3.Session(region_name=region))


def _read_variables(path: Path) -> tuple[str, str]:
    """The account and the region."""
    example = '{"account_id": "123456789012", "region": "eu-west-1"}'
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        if not path.parent.is_dir():
            raise DeployError(f"there is no {path.parent} here: run this at the top of the repository") from error
        raise DeployError(f"{path} is missing: write the account and the region into it, such as {example}") from error
    except OSError as error:
        raise DeployError(f"can't read {describe_os_error(error)}") from error
    except ValueError as error:
        raise DeployError(f"{path} is not JSON: write account and region into it, such as {example}") from error
    values = document if isinstance(document, dict) else {}
    account_id, region = str(values.get("account_id", "")), str(values.get("region", ""))
    if not re.fullmatch(r"[0-9]{12}", account_id) or not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-[0-9]", region):
        raise DeployError(f"{path} must have an account_id of 12 digits and a region, such as {example}")
    return account_id, region
