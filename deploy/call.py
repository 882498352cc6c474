"""Sends a sample event to a deployed API as the request that it was, signed or with a token."""

import base64
import gzip
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from deploy.errors import CallError
from training.aws_errors import describe_aws_error
from training.errors import describe_os_error

# API Gateway gives up after 30 seconds, and says so.
TIMEOUT_SECONDS = 35
# What the gateway adds to a request, and what belongs to the one connection that it came by.
OF_THE_WAY = re.compile(r"host|content-length|connection|via|authorization|x-amz.*|x-forwarded-.*")
SHOWN = re.compile(
    r"content-type|x-request-id|x-(prediction|outcome)-record|idempotency-replayed|retry-after|x-amzn-errortype"
)


@dataclass(frozen=True)
class Answer:
    """A response; the names of headers are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read_json(self) -> Any:
        """The body's JSON; raises CallError when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise CallError(f"the answer, status {self.status}, is no JSON: {self.body[:200]!r}") from None


def read_event(path: Path) -> dict[str, Any]:
    """A request as API Gateway's payload format 2.0 has it; CallError when the file holds none."""
    try:
        event = json.loads(path.read_bytes())
    except OSError as error:
        raise CallError(f"can't read {describe_os_error(error)}") from error
    except ValueError as error:
        raise CallError(f"{path} is not JSON") from error
    if not isinstance(event, dict) or event.get("version") != "2.0" or "http" not in event.get("requestContext", {}):
        raise CallError(f"{path} is no request: it must be an event of API Gateway, format 2.0")
    return event


def send_event(
    url: str,
    event: Mapping[str, Any],
    session: boto3.Session | None,
    region: str | None = None,
    token: str | None = None,
) -> Answer:
    """Send the event's request to the API at `url`, signed for `region`, or with a JWT in place of a signature.

    Without a session it is not signed, for an API on this machine. The region is by default the one in the API's name,
    else the session's. CallError when there is no answer.
    """
    request = _make_request(url, event)
    if token:
        # RFC 6750's alphabet.
        if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", token):
            raise CallError("the token holds characters that no token has, such as a line break")
        request.headers["Authorization"] = f"Bearer {token}"
    elif session:
        _sign(request, session, region)
    # Certificates and proxies as boto3 has them. The stub knows no path in place of True.
    verify: Any = os.environ.get("AWS_CA_BUNDLE") or True
    # What may go without TLS stays on this machine: no proxy reads it.
    proxies = get_environ_proxies(url) if urlsplit(url).scheme == "https" else {}
    client = URLLib3Session(verify=verify, proxies=proxies, timeout=TIMEOUT_SECONDS)
    try:
        answer = client.send(request.prepare())
    except BotoCoreError as error:
        raise CallError(describe_aws_error(error, "the API")) from error
    finally:
        client.close()
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(answer.status_code, headers, answer.content)


def explain_refusal(answer: Answer) -> str | None:
    """A hint when the gateway, and not the service, refused the request; None where it did not."""
    # The service's own refusals say what is wrong with them.
    if answer.headers.get("content-type") == "application/problem+json":
        return None
    if answer.status == 403:
        return (
            "API Gateway refused the caller. Is `aws sts get-caller-identity` who you mean to be, does its policy "
            "allow execute-api:Invoke on this API, is --region the API's, and is this machine's clock right?"
        )
    if answer.status == 401:
        return "the API takes tokens of its issuer and no signatures: pass one that has not expired with --token"
    return None


def _make_request(url: str, event: Mapping[str, Any]) -> AWSRequest:
    if not _may_be_called(url):
        raise CallError(
            f"{url!r} is no address of an API: it must be https://HOST, or http://127.0.0.1 on this machine"
        )
    headers = {
        name: value for name, value in event.get("headers", {}).items() if not OF_THE_WAY.fullmatch(name.lower())
    }
    if cookies := event.get("cookies"):
        headers["cookie"] = "; ".join(cookies)
    body = (event.get("body") or "").encode()
    target = url.rstrip("/") + quote(event.get("rawPath", "/"), safe="/%")
    if query := event.get("rawQueryString"):
        target += f"?{query}"
    return AWSRequest(
        method=event["requestContext"]["http"]["method"],
        url=target,
        headers=headers,
        data=base64.b64decode(body) if event.get("isBase64Encoded") else body,
    )


def _may_be_called(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Asked for, because a port that is no number shows only then.
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    # Requests carry measurements of people: only what stays on this machine may go without TLS.
    if parts.scheme == "http":
        return host in {"127.0.0.1", "::1", "localhost"}
    return parts.scheme == "https" and bool(host)


def _sign(request: AWSRequest, session: boto3.Session, region: str | None) -> None:
    named = re.search(r"\.execute-api\.([a-z0-9-]+)\.", str(urlsplit(request.url).hostname))
    region = region or (named and named[1]) or session.region_name
    if not region:
        raise CallError("no region: pass the API's with --region")
    if not re.fullmatch(r"[a-z0-9-]+", region):
        raise CallError(f"{region!r} is not the name of a region, such as eu-west-1")
    try:
        credentials = session.get_credentials()
        frozen = credentials.get_frozen_credentials() if credentials else None
    except BotoCoreError as error:
        raise CallError(describe_aws_error(error, "AWS")) from error
    if frozen is None:
        raise CallError("no AWS credentials: set AWS_PROFILE, or run `aws configure`")
    SigV4Auth(frozen, "execute-api", region).add_auth(request)


def print_answer(answer: Answer) -> None:
    """Status, the headers that say something, and the body, indented where it is JSON."""
    print(answer.status)
    for name, value in sorted(answer.headers.items()):
        if SHOWN.fullmatch(name):
            print(f"{name}: {value}")
    body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
    try:
        print(f"\n{json.dumps(json.loads(body), indent=2, ensure_ascii=False)}")
    except ValueError:
        print(f"\n{body.decode(errors='replace')}")
    if advice := explain_refusal(answer):
        print(f"\n{advice}", file=sys.stderr)
