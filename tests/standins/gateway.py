"""A stand-in for API Gateway's HTTP API with IAM: checks the signature, and hands the request on as an event."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from local.certificates import Certificate
from local.gateway import build_event, read_answer
from tests.events import Context, load_event
from tests.standins.http import HttpServer, Request, Response
from tests.standins.iam import ALGORITHM, MAX_SKEW_SECONDS, sign_request

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


class Gateway(HttpServer):
    """Serves one identity. `faults` tells why requests were refused, which the client is not told."""

    def __init__(
        self,
        handler: Handler,
        certificate: Certificate | None,
        access_key_id: str,
        secret_access_key: str,
        region: str = "eu-west-1",
    ) -> None:
        super().__init__(certificate)
        self._handler = handler
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._region = region
        self.faults: list[str] = []

    def _answer(self, request: Request) -> Response:
        fault = self._find_fault(request)
        if fault:
            self.faults.append(fault)
            return Response(403, {"content-type": "application/json"}, b'{"message":"Forbidden"}')
        event = build_event(request.method, request.target, request.headers, request.body)
        # The caller is that of the sample events.
        event["requestContext"]["authorizer"] = load_event("predict")["requestContext"]["authorizer"]
        content, status, headers = read_answer(self._handler(event, Context()))
        return Response(status, headers, content)

    def _find_fault(self, request: Request) -> str | None:
        """Why the signature is not the one identity's; from AWS's description of Signature Version 4."""
        words = request.headers.get("authorization", "").split(" ", 1)
        if len(words) != 2 or words[0] != ALGORITHM:
            return "it is not signed"
        values = dict(part.strip().split("=", 1) for part in words[1].split(","))
        moment = request.headers.get("x-amz-date", "")
        scope = f"{moment[:8]}/{self._region}/execute-api/aws4_request"
        if values["Credential"] != f"{self._access_key_id}/{scope}":
            return "the credential is of another identity, day, region or service"
        names = values["SignedHeaders"].split(";")
        if not {"host", "x-amz-date"} <= set(names):
            return "host and date must be signed"
        made_at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs((datetime.now(UTC) - made_at).total_seconds()) > MAX_SKEW_SECONDS:
            return "it is of another time"
        parts = urlsplit(request.target)
        canonical = "\n".join(
            [
                request.method,
                # Encoded once more than it came: only S3 leaves that out.
                quote(parts.path, safe="/-_.~"),
                "&".join(sorted(parts.query.split("&"))),
                *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
                "",
                ";".join(names),
                hashlib.sha256(request.body).hexdigest(),
            ]
        )
        expected = sign_request(self._secret_access_key, canonical, moment, scope)
        return None if values["Signature"] == expected else "the signature is wrong"
