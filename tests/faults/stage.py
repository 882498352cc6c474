"""The parts of a drill: database, S3, SQS and a front before each, the api's environments, the replay functions."""

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pg8000.native
from botocore.config import Config

import lambda_app.handler
from local.aws_services import REGION, AwsServices
from local.certificates import make_certificates
from local.environment import DATABASE_USERS, Function, build_service_environment
from local.ports import find_free_ports
from local.postgres import Postgres
from local.stack import Stack
from tests.bundles import Registry
from tests.faults.environment import Environment, Plan
from tests.faults.front import Front
from tests.faults.sabotage import DROP_A_MESSAGE
from tests.faults.sqs_front import SqsFront
from tests.faults.trials import Trials
from tests.faults.witness import Witness
from tests.queues import QueuePair, create_queue_pair
from tests.standins.iam import MAX_AGE_SECONDS, TokenCheck
from tests.standins.rds_proxy import RdsProxy

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

ACCESS_KEY, SECRET_KEY, SESSION_TOKEN = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "session"
# Short, so that what a dead replay function held comes again soon.
VISIBILITY_SECONDS = 2
API_COUNT, REPLAY_COUNT = 5, 2
# One environment has the breaker of production.
SHORT_OPEN_SECONDS, OPEN_SECONDS = 0.5, 10.0


@dataclass(frozen=True)
class Stage:
    """The parts on which faults are inflicted."""

    postgres: Postgres
    token_check: TokenCheck
    rds: RdsProxy
    sqs_front: SqsFront
    s3_front: Front
    # For those who meet no fault at SQS, the pollers and the drill itself: the witness is to see them too.
    quiet_front: SqsFront
    witness: Witness
    trials: Trials
    sqs: "SQSClient"
    queues: QueuePair
    apis: list[Environment]
    replays: list[Environment]
    # The idle environments of the api. The one that is idle longest gets the next request.
    idle_apis: Queue[Environment]
    # What happened that no answer shows.
    events: Counter[str] = field(default_factory=Counter)

    def connect(self) -> pg8000.native.Connection:
        """Connect as the superuser, past all faults."""
        login = self.postgres.login
        return pg8000.native.Connection(
            login.user,
            host=login.host,
            port=login.port,
            database=login.database,
            password=login.password,
            ssl_context=False,
            timeout=10,
        )

    def heal(self) -> None:
        """End every fault."""
        self.rds.delay_seconds = 0.0
        self.rds.lose_commit_answers = 0
        self.token_check.clock_offset_seconds = 0.0
        # Those that were forgotten would keep a transaction open.
        self.rds.drop_connections()
        self.token_check.max_token_age_seconds = MAX_AGE_SECONDS
        self.sqs_front.mode = "forward"
        self.s3_front.mode = "forward"
        self.s3_front.target = b""
        self.trials.point()
        if self.postgres.pid is None:
            self.postgres.start()
        self.rds.mode = "forward"


def leave_the_developers_environment() -> None:
    """Remove the user's AWS settings and proxies from this process and its children."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        no_proxy="*",
    )


@contextmanager
def running_stage(directory: Path, bundle: Path, sabotage: str = "") -> Iterator[Stage]:
    """Start all parts with an empty table and logs in `directory`; stop them at the end."""
    directory.mkdir(parents=True, exist_ok=True)
    database_port, aws_port = find_free_ports(2)
    check = TokenCheck(ACCESS_KEY, SECRET_KEY, REGION, SESSION_TOKEN)
    certificates = make_certificates(directory)
    with ExitStack() as running:
        postgres = _start_empty(running, directory / "postgres", database_port)
        aws = running.enter_context(AwsServices(directory / "aws.log", aws_port))
        _migrate(Stack(0, postgres, aws))
        s3 = running.enter_context(contextlib.closing(boto3.client("s3", config=Config(proxies={}))))
        trials = Trials(Registry(s3, aws.bucket, bundle), directory / "api.log")
        witness = Witness()
        front = running.enter_context(SqsFront(aws_port, witness, drops_a_message=sabotage == DROP_A_MESSAGE))
        s3_front = running.enter_context(Front(aws_port, "s3-front"))
        quiet_front = running.enter_context(SqsFront(aws_port, witness))
        sqs = boto3.client("sqs", endpoint_url=quiet_front.endpoint_url, config=Config(proxies={}))
        running.callback(sqs.close)
        queues = create_queue_pair(sqs, VISIBILITY_SECONDS)
        rds = RdsProxy(upstream_port=database_port, certificate=certificates.server, token_check=check)
        running.enter_context(rds)

        def build_plan(function: Function, open_seconds: float) -> Plan:
            variables = {
                **build_service_environment(Stack(0, postgres, aws), function),
                **queues.environment,
                "DATABASE_HOST": rds.host_name,
                "DATABASE_PORT": str(rds.port),
                "DATABASE_USER": DATABASE_USERS[function],
                "DATABASE_TLS": "verify",
                # So that a token is asked for.
                "DATABASE_PASSWORD": "",
                "SSL_CERT_FILE": str(certificates.ca_path.absolute()),
                "QUEUE_URL": front.endpoint_url + urlsplit(queues.url).path,
                "DEAD_LETTER_QUEUE_URL": front.endpoint_url + urlsplit(queues.dead_letter_url).path,
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_SESSION_TOKEN": SESSION_TOKEN,
            }
            # The api reads its models there, often. Of replay, only the poller goes there: the function uses QUEUE_URL.
            endpoint = quiet_front if function == "replay" else s3_front
            variables |= {"AWS_ENDPOINT_URL": endpoint.endpoint_url, "MODEL_REFRESH_SECONDS": "1"}
            return Plan(function, variables, directory / f"{function}.log", open_seconds, sabotage)

        for name in ("api", "replay"):
            (directory / f"{name}.log").unlink(missing_ok=True)
        apis = [Environment(build_plan("api", SHORT_OPEN_SECONDS if n else OPEN_SECONDS)) for n in range(API_COUNT)]
        replays = [Environment(build_plan("replay", SHORT_OPEN_SECONDS)) for _ in range(REPLAY_COUNT)]
        for environment in (*apis, *replays):
            environment.start()
            running.callback(environment.stop)
        for environment in (*apis, *replays):
            environment.wait_until_ready()
        idle_apis: Queue[Environment] = Queue()
        for environment in apis:
            idle_apis.put(environment)
        yield Stage(
            postgres, check, rds, front, s3_front, quiet_front, witness, trials, sqs, queues, apis, replays, idle_apis
        )


def _start_empty(running: ExitStack, directory: Path, port: int) -> Postgres:
    postgres = Postgres(directory, port)
    running.callback(postgres.stop)
    postgres.claim()
    # What an earlier drill stored is none of this one's answers.
    shutil.rmtree(directory, ignore_errors=True)
    postgres.start()
    return postgres


def _migrate(stack: Stack) -> None:
    """Create the schema and the roles, and leave the environment of its owner to this process."""
    os.environ.update(build_service_environment(stack, "migrate"))
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        lambda_app.handler.migrate({}, None)
    stack.postgres.set_role_passwords()
