"""`python -m local.aws_container`: S3, SQS and Secrets Manager for the other containers, with what they need there.

moto forgets everything when it stops, so the container brings queues and secrets back whenever it starts. The
bucket is kept in a volume.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from lambda_app.project import API_ROLE, REPLAY_ROLE
from local.aws_client import connect_aws
from local.aws_services import AwsServices
from local.errors import StackError
from local.ports import LOOPBACK
from local.stack import ending_by_signal

PORT = 5000
LOG = Path("build/aws.log")
BUCKET_DIRECTORY = Path("build/s3")
# There once everything is; compose.yaml looks for it.
SEEDED = Path("build/seeded")


def main() -> int:
    """Run until a signal ends it; 1, with one line, when the server can't run or has ended by itself."""
    parser = argparse.ArgumentParser(prog="python -m local.aws_container", description=__doc__)
    parser.add_argument("--listen", default=LOOPBACK, help="the address")
    options = parser.parse_args()
    SEEDED.unlink(missing_ok=True)
    try:
        with ending_by_signal(), AwsServices(LOG, PORT, options.listen, BUCKET_DIRECTORY) as aws:
            keep_role_passwords(aws.endpoint_url)
            SEEDED.touch()
            print("S3, SQS and Secrets Manager answer.", flush=True)
            aws.wait()
    except StackError as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, SystemExit):
        return 0
    print(f"S3 and SQS have ended:\n{LOG.read_text(errors='replace')[-2000:]}", file=sys.stderr)
    return 1


def keep_role_passwords(endpoint_url: str) -> None:
    """Write the secrets by which migrate lets the functions' roles log in, each under the role's name."""
    client = connect_aws("secretsmanager", endpoint_url)
    for role, variable in ((API_ROLE, "API_PASSWORD"), (REPLAY_ROLE, "REPLAY_PASSWORD")):
        secret = {"username": role, "password": os.environ[variable]}
        client.create_secret(Name=role, SecretString=json.dumps(secret))


if __name__ == "__main__":
    sys.exit(main())
