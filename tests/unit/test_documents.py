"""Documents lead somewhere: links, anchors, pictures, commands and paths that they name exist."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.commands import find_unknown_commands, read_targets

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / ".github").glob("**/*.md")])
# No test asks a host; so where a document may lead to is listed here, and looked at by whoever adds to it.
HOSTS = {"datatracker.ietf.org", "docs.aws.amazon.com", "schemathesis.readthedocs.io", "semver.org"}
TOP_LEVEL = "lambda_app|training|local|deploy|terraform|tests|docs|benchmarks|events|requirements|\\.github"
# Written by whoever deploys, and not there before.
UNWRITTEN = "terraform.tfvars.json"


def read_tokens(document: Path) -> list[Token]:
    """The tokens of a document, by CommonMark with tables; those within a line come flat."""
    blocks = MarkdownIt("commonmark").enable("table").parse(document.read_text(encoding="utf-8"))
    return [token for block in blocks for token in (block, *(block.children or ()))]


def list_anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings: small letters, no punctuation, hyphens for spaces, a number when repeated."""
    tokens = MarkdownIt("commonmark").parse(document.read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    anchors = set()
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in inline.children or () if child.type in {"text", "code_inline"})
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        anchors.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return anchors


def describe_target_problem(document: Path, target: str) -> str | None:
    """Why a link or a picture leads nowhere; None where it does not."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return None if parts.scheme == "https" and parts.netloc in HOSTS else "a host that is not in HOSTS"
    path = (document.parent / unquote(parts.path)).resolve() if parts.path else document
    if not path.is_relative_to(ROOT) or not path.exists():
        return "no such file"
    if parts.fragment and (path.suffix != ".md" or parts.fragment not in list_anchors(path)):
        return "no such heading"
    return None


def list_code(document: Path) -> Iterator[str]:
    """The code between backticks, in lines and in blocks."""
    return (token.content for token in read_tokens(document) if token.type in {"code_inline", "fence", "code_block"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    tokens = read_tokens(document)
    targets = [str(token.attrs["href"]) for token in tokens if token.type == "link_open"]
    pictures = [token for token in tokens if token.type == "image"]
    targets += [str(picture.attrs["src"]) for picture in pictures]
    problems = {target: describe_target_problem(document, target) for target in targets}
    assert {target: problem for target, problem in problems.items() if problem} == {}
    assert [picture.attrs["src"] for picture in pictures if not picture.content] == [], "pictures without a text"
    # A reference without its definition stays text, brackets included.
    assert [token.content for token in tokens if token.type == "text" and re.search(r"\]\[|\]\(", token.content)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_paths_exist(document: Path) -> None:
    unknown = []
    for code in list_code(document):
        unknown += find_unknown_commands(code)
        for path in re.findall(rf"(?<![\w./*-])(?:{TOP_LEVEL})/[\w./*<>-]*[\w*]", code):
            pattern = re.sub(r"<\w+>", "*", path)
            if not pattern.endswith(UNWRITTEN) and not list(ROOT.glob(pattern)):
                unknown.append(path)
    assert unknown == []


def test_pictures_in_words_have_no_semicolon() -> None:
    """To Mermaid a line ends there, and GitHub then shows an error in the place of the picture."""
    fences = [token for document in DOCUMENTS for token in read_tokens(document) if token.info == "mermaid"]
    assert fences
    assert [fence.content for fence in fences if ";" in fence.content] == []


def test_missing_commands_and_targets_are_found() -> None:
    assert find_unknown_commands("make tset ENV=dev; .venv/bin/python -m trainig") == ["make tset", "python -m trainig"]
    assert find_unknown_commands("python -m deploy aply --yes, python -m deploy plan \\\n  --yes") == [
        "python -m deploy aply",
        "python -m deploy plan --yes",
    ]
    assert {"run", "test", "sam", "set-up"} <= read_targets()
    assert describe_target_problem(ROOT / "README.md", "docs/operations.md#requests-fail") is None
    assert describe_target_problem(ROOT / "README.md", "docs/operations.md#requests-fall") == "no such heading"
    assert describe_target_problem(ROOT / "README.md", "../elsewhere") == "no such file"
    assert describe_target_problem(ROOT / "README.md", "http://semver.org") == "a host that is not in HOSTS"


def test_every_document_can_be_reached_from_the_readme() -> None:
    """By a link, from one to the next; but what GitHub itself shows."""
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        for token in read_tokens(document):
            path = urlsplit(str(token.attrs["href"])).path if token.type == "link_open" else ""
            target = (document.parent / path).resolve()
            found = [target] if target.suffix == ".md" else sorted(target.glob("*.md")) if path else []
            waiting += [each for each in found if each in DOCUMENTS and each not in reached]
    by_github = {ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")}
    by_github.update((ROOT / ".github").glob("**/*.md"))
    assert set(DOCUMENTS) - reached - by_github == set()


def test_each_alarm_at_a_glance_leads_to_its_section() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+`) \| .+ \| \[(.+)\]\(#.+\) \|$", manual, re.MULTILINE)
    glance = {section: re.findall(r"`([\w-]+)`", alarms) for alarms, section in rows}
    sections = re.findall(r"^## (.+)\n\nAlarms? ((?:`[\w-]+`(?:, | and |[.:]))+)", manual, re.MULTILINE)
    assert sections
    assert glance == {section: re.findall(r"`([\w-]+)`", alarms) for section, alarms in sections}
