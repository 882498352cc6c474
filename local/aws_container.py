"""`python -m local.aws_container`: S3, SQS and Secrets Manager for the other containers, with what they need there.

moto forgets everything when it stops, so the container brings queues and secrets back whenever it starts. The
bucket is kept in a volume.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from lambda_app.project import API_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, REPLAY_ROLE
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.errors import StackError
from local.ports import LOOPBACK
from local.process import read_last_fault
from local.stack import ending_by_signal
from training.options import make_app, report_errors

app = make_app()

PORT = 5000
LOG = Path("build/aws.log")
BUCKET_DIRECTORY = Path("build/s3")
# There once everything is; compose.yaml looks for it.
SEEDED = Path("build/seeded")


@app.command()
def main(listen: Annotated[str, typer.Option(metavar="ADDRESS", help="Where the server listens.")] = LOOPBACK) -> None:
    """Run S3, SQS and Secrets Manager for the other containers until a signal ends them."""
    SEEDED.unlink(missing_ok=True)
    with report_errors(StackError), contextlib.suppress(KeyboardInterrupt, SystemExit), ending_by_signal():
        with AwsServices(LOG, PORT, listen, BUCKET_DIRECTORY) as aws:
            keep_role_passwords(aws.endpoint_url)
            SEEDED.touch()
            print("S3, SQS and Secrets Manager answer.", flush=True)
            aws.wait()
        raise StackError(f"S3 and SQS have ended: {read_last_fault(LOG.read_text(errors='replace'))}")


def keep_role_passwords(endpoint_url: str) -> None:
    """Write the secrets by which migrate lets the functions' roles log in, each under the role's name."""
    client = connect_aws("secretsmanager", endpoint_url)
    roles = {
        API_ROLE: "API_PASSWORD",
        REPLAY_ROLE: "REPLAY_PASSWORD",
        MAINTAIN_ROLE: "MAINTAIN_PASSWORD",
        MONITOR_ROLE: "MONITOR_PASSWORD",
    }
    for role, variable in roles.items():
        secret = {"username": role, "password": os.environ[variable]}
        client.create_secret(Name=role, SecretString=json.dumps(secret))


if __name__ == "__main__":
    app(prog_name="python -m local.aws_container")
