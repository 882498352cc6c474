"""A copy of an applied environment's roles, policies and stores, in an account where IAM is enforced.

Tests change policies in the copy, so the account that Terraform works in stays as it is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple
from urllib.request import Request, urlopen

import boto3
from moto.iam.access_control import IAMPolicy, PermissionResult

from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, REPLAY_ROLE
from local.aws_services import ACCOUNT, REGION
from local.cluster import PASSWORD

Document = dict[str, Any]
ROLES = ("api", "replay", "migrate", "maintain", "monitor", "proxy")
ADMIN = "admin"
# The name of a bucket, a queue and a secret that no role may reach.
ELSEWHERE = "elsewhere"


class Permission(NamedTuple):
    """The smallest part of a policy: one action on one resource."""

    sid: str
    action: str
    resource: str


@dataclass(frozen=True)
class Credentials:
    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The variables in which Lambda gives them to a function's code."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token or "",
        }


class Account:
    """Copies the environment to moto's server at `endpoint_url`, and then enforces IAM there.

    `resources` are the applied environment's: the values of each by its address.
    """

    def __init__(self, endpoint_url: str, resources: Mapping[str, Document]) -> None:
        self.endpoint_url = endpoint_url
        self.client = cache(self._make_client)
        self._resources = resources
        self._credentials = {ADMIN: Credentials("local", "local")}
        # The ARNs that differ in the copy: the end of a secret's ARN is random.
        self._renamed: dict[str, str] = {}
        self._copy_stores()
        self._statements = {role: self._copy_role(role) for role in ROLES}
        self._credentials[ADMIN] = self._make_admin()
        self.client.cache_clear()
        self._enforce()

    def credentials(self, role: str) -> Credentials:
        return self._credentials[role]

    def variables(self, function: str) -> dict[str, str]:
        """Return the environment variables of the function, with the addresses of the copy."""
        [environment] = self._resources[f'module.environment.module.service.aws_lambda_function.this["{function}"]'][
            "environment"
        ]
        variables = dict(environment["variables"])
        for name in ("QUEUE_URL", "DEAD_LETTER_QUEUE_URL"):
            variables[name] = self.queue_url(variables[name].rpartition("/")[2])
        if "ROLE_SECRET_ARNS" in variables:
            variables["ROLE_SECRET_ARNS"] = self._rename(variables["ROLE_SECRET_ARNS"])
        return variables

    def queue_url(self, name: str) -> str:
        return f"{self.endpoint_url}/{ACCOUNT}/{name}"

    def permissions(self, role: str) -> list[Permission]:
        return [permission for statement in self._statements[role] for permission, _ in split_statement(statement)]

    def revoke(self, role: str, permission: Permission) -> None:
        """Remove this permission alone from the role's policy."""
        pairs = [pair for statement in self._statements[role] for pair in split_statement(statement)]
        self._put_policy(role, [statement for other, statement in pairs if other != permission])

    def restore(self, role: str) -> None:
        self._put_policy(role, self._statements[role])

    def may_connect(self, role: str, user: str) -> bool:
        """Return True if the role's present policy allows rds-db:connect as this user of the database.

        RDS Proxy asks IAM for it, and no call of an API does: so this is decided by moto's own reading of a policy.
        """
        proxy_id = self._resources["module.environment.module.database.aws_db_proxy.this"]["arn"].rpartition(":")[2]
        arn = f"arn:aws:rds-db:{REGION}:{ACCOUNT}:dbuser:{proxy_id}/{user}"
        answer = self.client(ADMIN, "iam").get_role_policy(RoleName=self._name(role), PolicyName="this")
        policy = IAMPolicy(json.dumps(answer["PolicyDocument"]))
        return policy.is_action_permitted("rds-db:connect", arn) is PermissionResult.PERMITTED

    def secret_arns(self) -> dict[str, str]:
        """Return the ARN of each secret by the database user whose password it holds."""
        return dict(self._secret_arns)

    def _make_client(self, role: str, service: str) -> Any:
        credentials = self.credentials(role)
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token,
        )

    def _copy_stores(self) -> None:
        s3, sqs, secrets = (self.client(ADMIN, name) for name in ("s3", "sqs", "secretsmanager"))
        s3.create_bucket(Bucket=ELSEWHERE, CreateBucketConfiguration={"LocationConstraint": REGION})
        for module in ("model_store", "records"):
            name = self._resources[f"module.environment.module.{module}.aws_s3_bucket.this"]["bucket"]
            policy = self._resources[f"module.environment.module.{module}.aws_s3_bucket_policy.this"]["policy"]
            s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            s3.put_bucket_policy(Bucket=name, Policy=policy)
        for queue in ("records", "dead_letters"):
            policy = self._resources[f'module.environment.module.service.aws_sqs_queue_policy.tls_only["{queue}"]'][
                "policy"
            ]
            name = self._resources[f"module.environment.module.service.aws_sqs_queue.{queue}"]["name"]
            sqs.create_queue(QueueName=name, Attributes={"Policy": policy})
        sqs.create_queue(QueueName=ELSEWHERE)
        secrets.create_secret(Name=ELSEWHERE, SecretString="{}")
        instance = self._resources["module.environment.module.database.aws_db_instance.this"]
        arns = {instance["username"]: instance["master_user_secret"][0]["secret_arn"]}
        users = {"api": API_ROLE, "replay": REPLAY_ROLE, "maintain": MAINTAIN_ROLE, "monitor": MONITOR_ROLE}
        for function, user in users.items():
            address = f'module.environment.module.database.aws_secretsmanager_secret.role["{function}"]'
            arns[user] = self._resources[address]["arn"]
        self._secret_arns = {}
        for user, arn in arns.items():
            content = json.dumps({"username": user, "password": PASSWORD})
            name = arn.rpartition(":")[2].rpartition("-")[0]
            self._renamed[arn] = secrets.create_secret(Name=name, SecretString=content)["ARN"]
            self._secret_arns[user] = self._renamed[arn]

    def _copy_role(self, role: str) -> list[Document]:
        module, key = ("database", "proxy") if role == "proxy" else ("service", f'function["{role}"]')
        trust = self._resources[f"module.environment.module.{module}.aws_iam_role.{key}"]["assume_role_policy"]
        text = self._resources[f"module.environment.module.{module}.aws_iam_role_policy.{key}"]["policy"]
        statements: list[Document] = json.loads(self._rename(text))["Statement"]
        self.client(ADMIN, "iam").create_role(RoleName=self._name(role), AssumeRolePolicyDocument=trust)
        self._put_policy(role, statements)
        # Before IAM is enforced: only services may assume these roles, and moto knows no services.
        role_arn = f"arn:aws:iam::{ACCOUNT}:role/{self._name(role)}"
        answer = self.client(ADMIN, "sts").assume_role(RoleArn=role_arn, RoleSessionName=role)
        given = answer["Credentials"]
        self._credentials[role] = Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return statements

    def _make_admin(self) -> Credentials:
        iam = self.client(ADMIN, "iam")
        iam.create_user(UserName=ADMIN)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        iam.put_user_policy(UserName=ADMIN, PolicyName="this", PolicyDocument=build_policy([everything]))
        key = iam.create_access_key(UserName=ADMIN)["AccessKey"]
        return Credentials(key["AccessKeyId"], key["SecretAccessKey"])

    def _enforce(self) -> None:
        # So many more requests are served without IAM.
        headers = {"Content-Type": "text/plain"}
        request = Request(f"{self.endpoint_url}/moto-api/reset-auth", b"0", headers)  # noqa: S310
        with urlopen(request, timeout=5) as answer:  # noqa: S310
            assert json.load(answer)["status"] == "ok"

    def _put_policy(self, role: str, statements: list[Document]) -> None:
        policy = build_policy(statements)
        self.client(ADMIN, "iam").put_role_policy(RoleName=self._name(role), PolicyName="this", PolicyDocument=policy)

    def _name(self, role: str) -> str:
        module, key = ("database", "proxy") if role == "proxy" else ("service", f'function["{role}"]')
        name: str = self._resources[f"module.environment.module.{module}.aws_iam_role.{key}"]["name"]
        return name

    def _rename(self, text: str) -> str:
        for old, new in self._renamed.items():
            text = text.replace(old, new)
        return text


def split_statement(statement: Document) -> list[tuple[Permission, Document]]:
    """Split a statement into permissions. Each has a statement of its own, without the name, which must be unique."""
    rest = {name: value for name, value in statement.items() if name != "Sid"}
    return [
        (Permission(statement["Sid"], action, resource), {**rest, "Action": [action], "Resource": [resource]})
        for action in _as_list(statement["Action"])
        for resource in _as_list(statement["Resource"])
    ]


def build_policy(statements: list[Document]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
