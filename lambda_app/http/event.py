"""Reads the events of the api function: only those of API Gateway's HTTP API in payload format 2.0."""

import base64
from typing import Any, TypeVar
from urllib.parse import unquote

from mangum.handlers import HTTPGateway

from lambda_app.errors import EventError

Kind = TypeVar("Kind")

_OURS = "the function answers API Gateway's HTTP API in payload format 2.0 and nothing else."


class GatewayEvent(HTTPGateway):
    """An event as ASGI scope and body, for Mangum.

    For an invalid event, the scope has the error under "aws.error", and the middleware returns it as a response.
    """

    @classmethod
    def infer(cls, *_: Any) -> bool:
        """Accept every event. Mangum's other handlers would serve requests without knowing the caller."""
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
            # Mangum chooses the format of the response by this version.
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
            # Its events name the caller differently or not at all.
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
    """Return the member, or the default if it is missing or null. Raises EventError for another type."""
    value = parent.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind):
        raise EventError(f"Its {name} is missing or of a wrong type.")
    return value


def _encode(name: str, text: Any) -> bytes:
    """Encode text; raises EventError for other values and for lone surrogates, which JSON allows."""
    try:
        encoded: bytes = text.encode()
    except (AttributeError, UnicodeEncodeError):
        raise EventError(f"Its {name} must be text.") from None
    return encoded
