"""The page, the documentation and their files, as a browser gets them: from the service alone."""

import base64
import dataclasses
import gzip
import re
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import lambda_app
from lambda_app.http.schemas import EXAMPLE_REQUEST
from lambda_app.telemetry import LambdaHandler
from problem.table import TABLE
from tests.functional.helpers import Wire, get, send

PAGE = Path(lambda_app.__file__).parent / "http" / "page"
[SWAGGER] = (find_spec("fastapi_swagger") or pytest.fail("fastapi-swagger")).submodule_search_locations or []
FILES = {
    "/": PAGE / "index.html",
    "/performance.html": PAGE / "performance.html",
    "/docs": PAGE / "docs.html",
    "/swagger-ui-bundle.js": Path(SWAGGER, "resources", "swagger-ui-bundle.js"),
    "/swagger-ui.css": Path(SWAGGER, "resources", "swagger-ui.css"),
    **{f"/{path.name}": path for path in PAGE.iterdir() if path.suffix != ".html"},
}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# A namespace, which nobody asks for.
SVG = "http://www.w3.org/2000/svg"


class References(HTMLParser):
    """Collects the URLs of a document, and its inline scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.urls += [url for name in ("src", "href", "action") if (url := given.get(name))]
        self.inline += [f"{tag} {name}" for name in given if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)


def read(answer: dict[str, Any]) -> bytes:
    """The content as a browser has it."""
    body: str = answer["body"]
    content = base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()
    return gzip.decompress(content) if answer["headers"].get("content-encoding") == "gzip" else content


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("encoding", ["identity", "gzip, deflate, br"])
def test_each_file_is_served_as_it_is(path: str, encoding: str, api: LambdaHandler) -> None:
    answer = get(api, path, accept_encoding=encoding)
    content = read(answer)
    expected = FILES[path].read_bytes()
    if FILES[path].suffix == ".html":
        # Its placeholders are filled with the table's texts.
        assert re.fullmatch(re.sub(rb"\\\$[a-z]+", rb"[^$]*", re.escape(expected)), content)
    else:
        assert content == expected
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == TYPES[FILES[path].suffix]
    compressed = answer["headers"].get("content-encoding") == "gzip"
    assert compressed == (encoding != "identity" and len(content) >= 4096)
    # What is text goes out as text, unless it is compressed.
    assert answer["isBase64Encoded"] == (compressed or path.endswith(".svg"))
    assert answer["headers"]["x-content-type-options"] == "nosniff"
    assert answer["headers"]["referrer-policy"] == "no-referrer"
    policy = answer["headers"]["content-security-policy"]
    assert "default-src 'self';" in policy
    assert "unsafe" not in policy
    assert "://" not in policy


def test_the_page_names_the_table_before_any_script_runs(api: LambdaHandler) -> None:
    page = read(get(api, "/")).decode()
    assert f"<title>{TABLE.title}</title>" in page
    assert f"<h1>{TABLE.title}</h1>" in page
    assert all(text in page for text in (TABLE.introduction, TABLE.notice, TABLE.source, f"The {TABLE.case}<"))
    assert f"<title>{TABLE.title}: the API</title>" in read(get(api, "/docs")).decode()


def test_a_text_of_the_table_is_no_markup(monkeypatch: pytest.MonkeyPatch, api: LambdaHandler) -> None:
    monkeypatch.setattr("lambda_app.http.pages.TABLE", dataclasses.replace(TABLE, title="Price < 5 & $case"))
    assert "<title>Price &lt; 5 &amp; $case</title>" in read(get(api, "/")).decode()


@pytest.mark.parametrize("path", FILES)
def test_a_browser_that_has_a_file_does_not_get_it_again(path: str, api: LambdaHandler) -> None:
    etags = set()
    for encoding in ("identity", "gzip"):
        first = get(api, path, accept_encoding=encoding)
        etag = first["headers"]["etag"]
        etags.add((etag, first["headers"].get("content-encoding")))
        for condition in (etag, f"W/{etag}", f'"another", {etag}'):
            again = get(api, path, accept_encoding=encoding, if_none_match=condition)
            assert (again["statusCode"], again["body"], again["headers"]["etag"]) == (304, "", etag)
            assert again["headers"]["content-type"] == first["headers"]["content-type"]
        assert get(api, path, accept_encoding=encoding, if_none_match='"another"')["statusCode"] == 200
    # Two forms of one file are two things to a cache.
    assert len({etag for etag, _ in etags}) == len({encoding for _, encoding in etags})


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        *(("gzip", True), ("GZIP", True), ("x-gzip", True), ("*", True), ("gzip;q=0.5, identity;q=0.1", True)),
        *(("br , gzip ; q=0.001", True), ("gzip;Q=1.000", True), ("*;q=0, gzip", True), (", gzip,", True)),
        *(("", False), ("identity", False), ("br", False), ("gzip;q=0", False), ("gzip; q=0.000", False)),
        *(("*;q=0", False), ("*, gzip;q=0", False), ("not-gzip", False), ("gzipped", False), ("gzip;q=2", False)),
        *(("gzip;q=0.2, identity", False), ("gzip;level=9", False), ("gzip;q=", False), ("gzip;q=-1", False)),
    ],
)
def test_accept_encoding_is_read_by_its_weights(accepted: str, compressed: bool, api: LambdaHandler) -> None:
    answer = get(api, "/page.js", accept_encoding=accepted)
    assert (answer["headers"].get("content-encoding") == "gzip") == compressed
    assert read(answer) == FILES["/page.js"].read_bytes()
    assert answer["headers"]["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        *(("*", 304), (" * ", 304), ('"a,b", ETAG', 304), ('"a" , W/ETAG,', 304), (',ETAG,"', 200), ("ETAG x", 200)),
        *(('"xETAG', 200), ('"a"ETAG', 200), ('"*"', 200), ("*, ETAG", 200), ("w/ETAG", 200), ("BARE", 200), ("", 200)),
    ],
)
def test_if_none_match_is_read_as_a_list(condition: str, status: int, api: LambdaHandler) -> None:
    etag = get(api, "/page.js")["headers"]["etag"]
    sent = condition.replace("ETAG", etag).replace("BARE", etag.strip('"'))
    assert get(api, "/page.js", if_none_match=sent)["statusCode"] == status


@pytest.mark.parametrize("path", ["/", "/performance.html", "/docs"])
def test_a_page_names_no_other_host_and_all_that_it_names_is_served(path: str, api: LambdaHandler) -> None:
    references = References()
    references.feed(read(get(api, path)).decode())
    assert references.inline == []
    named = [url.partition("#")[0] for url in references.urls if not url.startswith("data:")]
    for url in filter(None, named):
        # Relative, so that it holds behind any prefix.
        assert re.fullmatch(r"\.|[a-z][a-z0-9.-]*", url), url
        assert get(api, f"/{url.removeprefix('.')}")["statusCode"] == 200, url


@pytest.mark.parametrize("path", [path for path in FILES if path.endswith((".css", ".js"))])
def test_no_style_or_script_of_ours_asks_another_host(path: str, api: LambdaHandler) -> None:
    text = read(get(api, path)).decode()
    loaded = re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", text) if path.endswith(".css") else []
    assert [url for url in loaded if not url.startswith(("data:", "#"))] == []
    # The bundle names hosts in its code for what nobody here asks of it; the policy of the page holds it back.
    if "swagger" not in path:
        assert re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z.]+", text.replace(SVG, "")) == []


@pytest.mark.parametrize(
    "path",
    [
        *("/index.html", "/docs.html", "/page", "/page/", "/page/index.html", "/favicon-32x32.png"),
        *("/../app.py", "/page/../../app.py", "/..%2fapp.py", "/%2e%2e/app.py", "//etc/passwd", "/docs.js/../app.py"),
        *("/app.py", "/handler.py", "/docs.js%00", "/docs.js.", "/DOCS", "/redoc", "/docs/oauth2-redirect"),
    ],
)
def test_nothing_else_is_a_file(path: str, api: LambdaHandler) -> None:
    assert get(api, path)["statusCode"] == 404


def test_off_hides_all_of_it_and_leaves_the_api(wire: Wire) -> None:
    api = wire(PAGES="off")
    unknown = get(api, "/unknown")["body"]
    for path in (*FILES, "/openapi.json"):
        for method in ("GET", "POST"):
            answer = send(api, method, path)
            assert answer["statusCode"] == 404
            assert {**answer["body"], "request_id": ""} == {**unknown, "request_id": ""}
    assert [feature["name"] for feature in get(api, "/model")["body"]["features"]] == list(EXAMPLE_REQUEST)
