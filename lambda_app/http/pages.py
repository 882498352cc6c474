"""Serves the page at /, its second view at /performance.html, the documentation at /docs, and their files.

Nothing is loaded from other hosts.

The HTML has placeholders such as $title for the texts of the table. They are filled when a file is read.

Each file in the directory gets one route, so no part of a URL is ever used as a path on disk. The URLs in the files are
relative, so they work behind any prefix.
"""

import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from importlib.util import find_spec
from pathlib import Path
from string import Template

from fastapi import FastAPI, Request, Response

from problem.table import TABLE

DIRECTORY = Path(__file__).parent / "page"

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# The files of Swagger UI in the package fastapi-swagger.
SWAGGER_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")

# Compressing smaller files saves no noticeable time.
MIN_COMPRESSED_BYTES = 4096

HEADERS = {
    # The style sheet of Swagger UI contains pictures as data URLs.
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    # The browser revalidates each time, so page and API always belong to the same release.
    "cache-control": "no-cache",
    "vary": "accept-encoding",
}


_ETAG = r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")'
_ETAGS = re.compile(rf"[ \t,]*{_ETAG}(?:[ \t]*,[ \t,]*{_ETAG})*[ \t,]*")
_CODING = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9a-z-]+)(?:[ \t]*;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?[ \t]*")


@dataclass(frozen=True)
class File:
    """A file that is read at its first request; `directory` is None for a file of Swagger UI."""

    name: str
    directory: Path | None = DIRECTORY

    async def answer(self, request: Request) -> Response:
        """Return the file, or a 304 if the browser has it."""
        compressed = self._gzipped is not None and accepts_gzip(request.headers.getlist("accept-encoding"))
        etag = f'"{self._digest}{"-gzip" if compressed else ""}"'
        # A 304 needs the type too: Mangum would send application/json, and a browser may use it.
        headers = {**HEADERS, "etag": etag, "content-type": CONTENT_TYPES[Path(self.name).suffix]}
        if matches(etag, request.headers.getlist("if-none-match")):
            return Response(status_code=304, headers=headers)
        if compressed:
            headers["content-encoding"] = "gzip"
        content = self._gzipped if compressed else self._content
        return Response(content, headers=headers)

    @cached_property
    def _content(self) -> bytes:
        content = ((self.directory or _find_swagger()) / self.name).read_bytes()
        return _fill(content.decode()).encode() if self.name.endswith(".html") else content

    @cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self._content).hexdigest()[:32]

    @cached_property
    def _gzipped(self) -> bytes | None:
        """Return the compressed file; None if compression does not help."""
        if len(self._content) < MIN_COMPRESSED_BYTES:
            return None
        return gzip.compress(self._content)


def add_pages(app: FastAPI) -> None:
    """Add the routes of the page, the documentation, and their files."""
    app.add_route("/", File("index.html").answer, include_in_schema=False)
    # /performance is the report itself.
    app.add_route("/performance.html", File("performance.html").answer, include_in_schema=False)
    app.add_route("/docs", File("docs.html").answer, include_in_schema=False)
    names = sorted(path.name for path in DIRECTORY.iterdir() if path.suffix in CONTENT_TYPES.keys() - {".html"})
    for name in names:
        app.add_route(f"/{name}", File(name).answer, include_in_schema=False)
    for name in SWAGGER_FILES:
        app.add_route(f"/{name}", File(name, None).answer, include_in_schema=False)


def _fill(text: str) -> str:
    """Return the template with the texts of the table in its placeholders."""
    names = ("title", "introduction", "notice", "source", "case", "cases")
    return Template(text).substitute({name: escape(getattr(TABLE, name)) for name in names})


def _find_swagger() -> Path:
    # Located without an import: importing the package would add its own way to serve the files.
    spec = find_spec("fastapi_swagger")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("the package fastapi-swagger is not installed")
    return Path(spec.origin).parent / "resources"


def accepts_gzip(values: Sequence[str]) -> bool:
    """Return True if Accept-Encoding allows gzip and does not prefer the plain file (RFC 9110, 12.5.3)."""
    weights = {}
    for part in ",".join(values).lower().split(","):
        if match := _CODING.fullmatch(part):
            weights[match[1]] = float(match[2] or 1)
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", 0)))
    return weight > 0 and weight >= weights.get("identity", 0)


def matches(etag: str, values: Sequence[str]) -> bool:
    """Return True if If-None-Match has the ETag, strong or weak, or is an asterisk (RFC 9110, 13.1.2)."""
    value = ",".join(values)
    return value.strip(" \t") == "*" or (_ETAGS.fullmatch(value) is not None and etag in re.findall(_ETAG, value))
