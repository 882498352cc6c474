"""Certificates that the test's clients trust, a client that uses nothing of ours, and the stack as a program."""

import contextlib
import ssl
from collections.abc import Iterator
from typing import Any

import pg8000.native
import pytest

from lambda_app.log.database import DATABASE_ERRORS
from lambda_app.network import make_tls_context
from local.certificates import Certificates, make_certificates
from local.cluster import PASSWORD
from local.postgres import DATABASE, USER

# Starts the stack, says which processes it has, and waits for a signal.
STACK_PROGRAM = """
import signal, sys, time
from pathlib import Path
from local.errors import StackError
from local.stack import running_stack

# As in a terminal, also where the tests run under nohup.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
try:
    with running_stack(Path(sys.argv[1]), int(sys.argv[2])) as stack:
        print(stack.postgres.pid, stack.aws.pid, flush=True)
        time.sleep(60)
except StackError as error:
    sys.exit(str(error))
"""


@pytest.fixture(scope="session")
def made_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def certificates(made_certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    """Certificates whose authority OpenSSL trusts during the test."""
    # What a test before this one trusted is not trusted any more, nor what this one does by the next.
    make_tls_context.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(made_certificates.ca_path))
    return made_certificates


@contextlib.contextmanager
def connect_plainly(port: int, **options: Any) -> Iterator[pg8000.native.Connection]:
    """A superuser's connection by verified TLS, by pg8000 alone."""
    defaults = {"user": USER, "password": PASSWORD, "database": DATABASE, "timeout": 5}
    tls = ssl.create_default_context()
    connection = pg8000.native.Connection(**{**defaults, **options}, host="localhost", port=port, ssl_context=tls)
    try:
        yield connection
    finally:
        # The farewell fails where the test has broken the connection.
        with contextlib.suppress(*DATABASE_ERRORS):
            connection.close()
