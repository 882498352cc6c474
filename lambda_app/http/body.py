"""Reads JSON bodies strictly by RFC 8259. Python's parser would accept repeated names and use the last."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from lambda_app.errors import INVALID_INPUT, MALFORMED_JSON, UNSUPPORTED_ENCODING, Problem
from lambda_app.http.problems import MAX_NAME_LENGTH, MAX_REFUSED_FIELDS
from problem.table import TABLE


class BodyError(HTTPException):
    """The body is refused before it is validated. FastAPI passes on no other type of exception."""

    def __init__(
        self,
        problem: Problem,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem.status, detail, headers)
        self.problem = problem
        self.errors = errors


class JsonRoute(APIRoute):
    """A route that parses JSON bodies with `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, with another request class."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_JsonRequest(request.scope, request.receive))

        return handle_strictly


class _JsonRequest(Request):
    async def json(self) -> Any:
        for encodings in self.headers.getlist("content-encoding"):
            if any(encoding.strip(" \t").lower() not in {"", "identity"} for encoding in encodings.split(",")):
                raise BodyError(
                    UNSUPPORTED_ENCODING,
                    "Send the body as it is, without a Content-Encoding.",
                    headers={"accept-encoding": "identity"},
                )
        return read_json(await self.body())


def read_json(body: bytes) -> Any:
    """Parse the document; raises BodyError."""
    # Keeps the objects too, so that no later object gets the same id.
    repeating: list[tuple[dict[str, Any], list[str]]] = []

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(name for name, _ in pairs)
            repeating.append((made, [name for name, count in counts.items() if count > 1]))
        return made

    try:
        # RFC 8259 allows a parser to ignore a byte order mark.
        text = body.decode().removeprefix("\ufeff")
        document = json.loads(text, object_pairs_hook=make_object)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise BodyError(MALFORMED_JSON, "The body must be JSON in UTF-8.") from None
    except UnicodeEncodeError:
        detail = "The body has half of a surrogate pair, such as \\ud800 alone, which is no character."
        raise BodyError(MALFORMED_JSON, detail) from None
    except json.JSONDecodeError:
        raise BodyError(MALFORMED_JSON, "The body could not be read as JSON.") from None
    except (ValueError, RecursionError):
        detail = "The body has a number with thousands of digits, or is nested too deep."
        raise BodyError(MALFORMED_JSON, detail) from None
    if repeating:
        errors = _list_repeated(document, {id(made): names for made, names in repeating})
        detail = "; ".join(f"{error['field']} {error['message']}" for error in errors)
        raise BodyError(INVALID_INPUT, detail, errors=errors)
    return document


def _list_repeated(document: Any, repeating: Mapping[int, Sequence[str]]) -> list[dict[str, str]]:
    """List repeated fields of the request or its items; `repeating` maps the id of an object to its names."""
    fields = [name[:MAX_NAME_LENGTH] for name in repeating.get(id(document), ())]
    for listed in (TABLE.cases, "outcomes"):
        items = document.get(listed) if isinstance(document, dict) else None
        if isinstance(items, list):
            for index, item in enumerate(items):
                fields += [f"{listed}[{index}].{name[:MAX_NAME_LENGTH]}" for name in repeating.get(id(item), ())]
    if not fields:
        return [{"field": "body", "message": "has an object with a name that is given more than once"}]
    return [{"field": field, "message": "is given more than once"} for field in fields[:MAX_REFUSED_FIELDS]]
