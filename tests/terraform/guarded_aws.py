"""An AWS that enforces policies: moto's server, which also compares a policy's resources with the secret in a request.

By itself moto compares the resources of requests to S3, SQS, IAM and STS alone.
"""

import sys
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import IAMRequest
from moto.secretsmanager.responses import SecretsManagerResponse

from local.moto_server import serve
from tests.terraform.emulated_aws import know_conditions, replace


def name_secrets() -> None:
    """Compare the secret's ARN with the policy."""

    def find_arn(self: Any) -> str:
        name = self._get_param("SecretId")
        return str(self.backend.secrets[name].arn) if name and name in self.backend.secrets else name or "*"

    replace(SecretsManagerResponse, _determine_resource=find_arn)


def refuse_in_json() -> None:
    """Refuse in JSON where the service's client reads JSON: moto refuses in XML."""
    refuse = IAMRequest._raise_access_denied

    def refuse_readably(self: Any) -> None:
        if self._service in {"ec2", "iam", "sts"}:
            refuse(self)
        raise JsonRESTError(
            "AccessDeniedException", f"{self._access_key.arn} is not authorized to perform {self._action}"
        )

    replace(IAMRequest, _raise_access_denied=refuse_readably)


if __name__ == "__main__":
    name_secrets()
    refuse_in_json()
    know_conditions()
    serve(sys.argv[1], sys.argv[2])
