"""The check of RDS IAM tokens, written from AWS's description of Signature Version 4 and not from boto's code."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

ALGORITHM = "AWS4-HMAC-SHA256"
# What RDS accepts at most.
MAX_AGE_SECONDS = 900
# A token from a clock that is a little ahead is taken.
MAX_SKEW_SECONDS = 300


@dataclass
class TokenCheck:
    """The one identity that may log in. `clock_offset_seconds` moves the clock by which tokens age."""

    access_key_id: str
    secret_access_key: str
    region: str = "eu-west-1"
    session_token: str | None = None
    max_token_age_seconds: float = MAX_AGE_SECONDS
    clock_offset_seconds: float = 0.0

    def find_fault(self, token: str, user: str, host: str) -> str | None:
        """Why the token does not open `host` ("name:port") to `user`; None where it does."""
        address, separator, query = token.partition("/?")
        if not separator:
            return "it is no token"
        if address != host:
            return "it is for another host or port"
        values = dict(parse_qsl(query, keep_blank_values=True))
        if len(values) != query.count("&") + 1:
            return "a parameter stands twice or has no value"
        return self._find_wrong_value(values, user) or self._find_wrong_time(values) or self._check(values, host)

    def _find_wrong_value(self, values: dict[str, str], user: str) -> str | None:
        moment = values.get("X-Amz-Date", "")
        expected = {
            "Action": "connect",
            "DBUser": user,
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.access_key_id}/{self._build_scope(moment)}",
            "X-Amz-SignedHeaders": "host",
        }
        if self.session_token is not None:
            expected["X-Amz-Security-Token"] = self.session_token
        for name, value in expected.items():
            if values.get(name) != value:
                return f"{name} is not what it must be"
        unknown = values.keys() - expected.keys() - {"X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"}
        return f"{', '.join(sorted(unknown))} should not be there" if unknown else None

    def _find_wrong_time(self, values: dict[str, str]) -> str | None:
        lifetime = values.get("X-Amz-Expires", "")
        if not (lifetime.isascii() and lifetime.isdigit() and 1 <= int(lifetime) <= MAX_AGE_SECONDS):
            return "X-Amz-Expires is not what it must be"
        try:
            made_at = datetime.strptime(values["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        except (KeyError, ValueError):
            return "X-Amz-Date is not what it must be"
        now = datetime.now(UTC) + timedelta(seconds=self.clock_offset_seconds)
        age_seconds = (now - made_at).total_seconds()
        if age_seconds > min(int(lifetime), self.max_token_age_seconds):
            return "it has expired"
        return "it is of the future" if age_seconds < -MAX_SKEW_SECONDS else None

    def _check(self, values: dict[str, str], host: str) -> str | None:
        signature = values.pop("X-Amz-Signature", "")
        matches = hmac.compare_digest(signature.encode(), self._sign(values, host).encode())
        return None if matches else "the signature is wrong"

    def _sign(self, values: dict[str, str], host: str) -> str:
        pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in values.items())
        query = "&".join(f"{name}={value}" for name, value in pairs)
        empty_hash = hashlib.sha256(b"").hexdigest()
        request = f"GET\n/\n{query}\nhost:{host}\n\nhost\n{empty_hash}"
        moment = values["X-Amz-Date"]
        scope = self._build_scope(moment)
        return sign_request(self.secret_access_key, request, moment, scope)

    def _build_scope(self, moment: str) -> str:
        return f"{moment[:8]}/{self.region}/rds-db/aws4_request"


def sign_request(secret_access_key: str, canonical_request: str, moment: str, scope: str) -> str:
    """The signature, by the last two steps of Signature Version 4."""
    text = f"{ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical_request.encode()).hexdigest()}"
    key = f"AWS4{secret_access_key}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
