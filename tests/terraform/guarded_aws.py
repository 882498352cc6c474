"""An AWS that enforces policies: moto's server, with what its IAM knows nothing of.

By itself moto compares a policy's resources only with requests to S3, SQS, IAM and STS, and takes every condition for
met. Here Secrets Manager, CloudWatch Logs and Lambda name their resources too, and conditions are decided; one that
nobody can decide here is an error and no answer.
"""

import json
import sys
import threading
from typing import Any
from urllib.parse import unquote

from moto.awslambda.responses import LambdaResponse
from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import (
    AssumedRoleAccessKey,
    IAMPolicyStatement,
    IAMRequest,
    IAMRequestBase,
    PermissionResult,
)
from moto.logs.responses import LogsResponse
from moto.secretsmanager.models import SecretsManagerBackend
from moto.secretsmanager.responses import SecretsManagerResponse

from local.aws_services import ACCOUNT, REGION
from local.moto_server import serve
from tests.terraform.emulated_aws import replace

# What a condition may ask of the request that this thread is serving.
_REQUEST = threading.local()


def name_resources() -> None:
    """The ARN that a policy must name for a request to pass."""

    def of_secret(self: Any) -> str:
        return _find_secret(self.backend, self._get_param("SecretId"))

    def of_logs(self: Any) -> str:
        group, stream = self._get_param("logGroupName"), self._get_param("logStreamName")
        arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
        return f"{arn}:log-stream:{stream}" if stream else arn

    def of_function(self: Any) -> str:
        parts = unquote(self.path).split("/")
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{parts[3]}" if len(parts) > 3 else "*"

    replace(SecretsManagerResponse, _determine_resource=of_secret)
    replace(LogsResponse, _determine_resource=of_logs)
    replace(LambdaResponse, _determine_resource=of_function)


def _find_secret(backend: SecretsManagerBackend, name: str | None) -> str:
    if name is None or name not in backend.secrets:
        return name or "*"
    return str(backend.secrets[name].arn)


def name_actions_of_xray() -> None:
    """As policies have them; moto takes the path for the action's name, which lacks the verb."""
    check = IAMRequestBase.check_action_permitted

    def check_by_name(self: Any, resource: str) -> None:
        service, action = self._action.split(":")
        if service == "xray" and not action.startswith("Put"):
            self._action = f"{service}:Put{action}"
        check(self, resource)

    replace(IAMRequestBase, check_action_permitted=check_by_name)


def refuse_in_json() -> None:
    """To the services' clients that speak JSON; moto's answer, which is XML for all, they can't read."""
    refuse = IAMRequest._raise_access_denied

    def refuse_readably(self: Any) -> None:
        if self._service in {"ec2", "iam", "sts"}:
            refuse(self)
        raise JsonRESTError(
            "AccessDeniedException", f"{self._access_key.arn} is not authorized to perform {self._action}"
        )

    replace(IAMRequest, _raise_access_denied=refuse_readably)


def decide_conditions() -> None:
    """The loopback stands for TLS. Whoever's session has the name of its role is the code of the function of that
    name, as it is with the credentials that Lambda gives it; Lambda itself uses a role under another name."""
    check, decide = IAMRequestBase.check_action_permitted, IAMPolicyStatement.is_action_permitted

    def check_with_context(self: Any, resource: str) -> None:
        _REQUEST.values = {"aws:SecureTransport": "true"}
        key = self._access_key
        if isinstance(key, AssumedRoleAccessKey) and key._session_name == key._owner_role_name:
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{key._owner_role_name}"
            _REQUEST.values["lambda:SourceFunctionArn"] = arn
        check(self, resource)

    def decide_with_conditions(self: Any, *args: Any, **kwargs: Any) -> PermissionResult:
        if not all(_is_met(*condition) for condition in self._statement.get("Condition", {}).items()):
            return PermissionResult.NEUTRAL
        return decide(self, *args, **kwargs)

    replace(IAMRequestBase, check_action_permitted=check_with_context)
    replace(IAMPolicyStatement, is_action_permitted=decide_with_conditions)


def _is_met(operator: str, keys: dict[str, str | list[str]]) -> bool:
    if operator not in {"ArnEquals", "Bool"} or keys.keys() - {"aws:SecureTransport", "lambda:SourceFunctionArn"}:
        raise NotImplementedError(f"nobody decides here on {operator} of {json.dumps(keys)}")
    # No value has a pattern in it, so all of these operators compare alike.
    values = getattr(_REQUEST, "values", {"aws:SecureTransport": "true"})
    return all(values.get(key) in ([wanted] if isinstance(wanted, str) else wanted) for key, wanted in keys.items())


if __name__ == "__main__":
    name_resources()
    name_actions_of_xray()
    refuse_in_json()
    decide_conditions()
    # Whether a function may be invoked is asked here, and not what it does.
    default_user_config["lambda"]["use_docker"] = False
    serve(sys.argv[1], sys.argv[2])
