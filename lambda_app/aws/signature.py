"""AWS Signature Version 4. A test compares the signatures with those of botocore."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Identity:
    """The credentials of a request, and its region. Temporary credentials, as in Lambda, have a session token."""

    region: str
    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False)


def sign_headers(
    identity: Identity, service: str, method: str, host: str, path: str, body: bytes, headers: Mapping[str, str]
) -> dict[str, str]:
    """Return `headers` with a signature. Their names are in lower case, and the request has no query."""
    moment = _format_now()
    digest = hashlib.sha256(body).hexdigest()
    signed = {**headers, "host": host, "x-amz-date": moment, "x-amz-content-sha256": digest}
    if identity.session_token:
        signed["x-amz-security-token"] = identity.session_token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name].strip()}\n" for name in sorted(signed))
    signature = _sign(identity, service, moment, f"{method}\n{quote(path)}\n\n{lines}\n{names}\n{digest}")
    credential = f"{identity.access_key_id}/{_build_scope(identity, service, moment)}"
    signed["authorization"] = f"{_ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
    return signed


def sign_query(identity: Identity, service: str, host: str, parameters: Mapping[str, str], valid_seconds: int) -> str:
    """Return a signed query for a GET of https://host/. Its holder may send it while it is valid."""
    moment = _format_now()
    signed = {
        **parameters,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{identity.access_key_id}/{_build_scope(identity, service, moment)}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(valid_seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if identity.session_token:
        signed["X-Amz-Security-Token"] = identity.session_token
    pairs = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in signed.items()]
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{'&'.join(sorted(pairs))}\nhost:{host}\n\nhost\n{empty}"
    return f"{'&'.join(pairs)}&X-Amz-Signature={_sign(identity, service, moment, request)}"


def _sign(identity: Identity, service: str, moment: str, request: str) -> str:
    scope = _build_scope(identity, service, moment)
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{identity.secret_access_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()


def _build_scope(identity: Identity, service: str, moment: str) -> str:
    return f"{moment[:8]}/{identity.region}/{service}/aws4_request"


def _format_now() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
