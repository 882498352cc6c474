"""boto3's clients of the stand-in for AWS."""

import os
from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config

from local.aws_services import IDENTITY
from local.process import build_environment


def connect_aws(service: str, endpoint_url: str, config: Config | None = None) -> Any:
    """A client that talks to this address alone, whatever the shell and ~/.aws say of profiles, endpoints and proxies.

    boto3 has no switch for that, but it looks at the environment only while it makes a session and a client.
    """
    shell = dict(os.environ)
    try:
        _replace_environment(build_environment(**IDENTITY))
        connect: Callable[..., Any] = boto3.Session().client
        own = Config(proxies={})
        return connect(service, endpoint_url=endpoint_url, config=own.merge(config) if config else own)
    finally:
        _replace_environment(shell)


def _replace_environment(variables: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
