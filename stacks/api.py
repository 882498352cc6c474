"""The API of an environment on AWS, called by signed requests, or that of the local stack."""

from collections.abc import Callable
from typing import Any

from deploy.call import Answer, explain_refusal, send_event
from deploy.environment import Environment
from deploy.errors import CallError, explain_failures
from lambda_app.project import PREFIX
from local.functions import find_servers
from local.ports import LOOPBACK
from stacks.errors import ReachError, UnansweredError

__all__ = ["Answer", "Post", "connect_api", "find_url"]

Post = Callable[[str, bytes], Answer]


def connect_api(environment: Environment | None, token: str | None = None) -> Post:
    """Return what posts JSON to a path of the API: signed, or with a token; without an environment, the local one.

    A call raises UnansweredError, or ReachError when the gateway refuses the caller.
    """
    if environment is None:
        url, session, region = f"http://{LOOPBACK}:{find_servers().http_port}", None, None
    else:
        url, session, region = find_url(environment), environment.session, environment.region

    def post(path: str, content: bytes) -> Answer:
        event = {
            "requestContext": {"http": {"method": "POST"}},
            "rawPath": path,
            "headers": {"content-type": "application/json"},
            "body": content.decode(),
        }
        try:
            answer = send_event(url, event, session, region, token)
        except CallError as error:
            raise UnansweredError(str(error)) from error
        if advice := explain_refusal(answer):
            raise ReachError(advice)
        return answer

    return post


def find_url(environment: Environment) -> str:
    """The address of the environment's API, by the name that Terraform gave it; DeployError, or ReachError without one.

    A custom domain replaces the gateway's own address.
    """
    name = f"{PREFIX}-{environment.name}"
    client: Any = environment.session.client("apigatewayv2")
    with explain_failures("API Gateway"):
        apis = [api for page in _page(client, "get_apis") for api in page["Items"] if api["Name"] == name]
        if not apis:
            raise ReachError(f"there is no API {name} in {environment.region}: deploy {environment.name} first")
        [api] = apis
        if not api.get("DisableExecuteApiEndpoint"):
            return str(api["ApiEndpoint"])
        for page in _page(client, "get_domain_names"):
            for domain in page["Items"]:
                mappings = client.get_api_mappings(DomainName=domain["DomainName"])["Items"]
                if any(mapping["ApiId"] == api["ApiId"] for mapping in mappings):
                    return f"https://{domain['DomainName']}"
    raise ReachError(f"the API {name} has no address: its own is off, and no domain leads to it")


def _page(client: Any, operation: str) -> Any:
    return client.get_paginator(operation).paginate()
