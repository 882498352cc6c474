"""Reads the events of the api function: those of API Gateway's HTTP API in payload format 2.0, and no others."""

import base64
from typing import Any, TypeVar
from urllib.parse import unquote

from mangum.handlers import HTTPGateway

from lambda_app.errors import EventError

Kind = TypeVar("Kind")

_OURS = "the function answers API Gateway's HTTP API in payload format 2.0 and nothing else."


class GatewayEvent(HTTPGateway):
    """One event for Mangum, as ASGI scope and body.

    What cannot be read becomes a scope with its error under "aws.error", which the middleware answers as any other.
    """

    @classmethod
    def infer(cls, *_: Any) -> bool:
        """Takes every event: Mangum's other readers would serve callers whom they don't find."""
        return True

    def __init__(self, event: Any, context: Any, config: Any) -> None:
        super().__init__(event, context, config)
        self._body = b""
        self._scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "",
            "path": "",
            "headers": [],
            # By its version Mangum knows which form the answer has.
            "aws.event": {"version": "2.0"},
            "aws.context": context,
        }
        try:
            self._read(event)
        except EventError as error:
            self._scope["aws.error"] = error

    @property
    def scope(self) -> Any:
        return self._scope

    @property
    def body(self) -> bytes:
        return self._body

    def _read(self, event: Any) -> None:
        if not isinstance(event, dict) or event.get("version") != "2.0":
            raise EventError(f"It is {_describe_kind(event)}: {_OURS}")
        request = _take(event, "requestContext", dict)
        if ".lambda-url." in _take(request, "domainName", str, ""):
            # It would tell of its callers in its own way, or of nobody.
            raise EventError(f"It is a function URL's: {_OURS}")
        http = _take(request, "http", dict)
        method, path = _take(http, "method", str), _take(http, "path", str)
        _encode("method", method)
        _encode("path", path)
        headers = _take(event, "headers", dict, {})
        text = _take(event, "body", str, "")
        if not _take(event, "isBase64Encoded", bool, False):
            self._body = _encode("body", text)
        else:
            try:
                self._body = base64.b64decode(text, validate=True)
            except ValueError:
                raise EventError("Its body is not the base64 that isBase64Encoded says.") from None
        self._scope |= {
            "method": method,
            "path": unquote(path) or "/",
            "raw_path": None,
            "root_path": "",
            "scheme": "https",
            "query_string": _encode("rawQueryString", _take(event, "rawQueryString", str, "")),
            "headers": [(_encode("headers", name.lower()), _encode("headers", headers[name])) for name in headers],
            "aws.event": event,
        }


def _describe_kind(event: Any) -> str:
    if isinstance(event, dict) and (event.get("version") == "1.0" or "httpMethod" in event):
        return "in payload format 1.0, or a load balancer's"
    return "of another kind"


def _take(parent: dict[str, Any], name: str, kind: type[Kind], default: Kind | None = None) -> Kind:
    """The member of that type; the default where it is missing or null. Raises EventError."""
    value = parent.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind):
        raise EventError(f"Its {name} is missing or of a wrong type.")
    return value


def _encode(name: str, text: Any) -> bytes:
    """Raises EventError for what is no text, of which JSON's strings may hold some."""
    try:
        encoded: bytes = text.encode()
    except (AttributeError, UnicodeEncodeError):
        raise EventError(f"Its {name} must be text.") from None
    return encoded
