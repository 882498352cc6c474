"""What documents and workflows tell people and machines to run, compared with what there is."""

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

import deploy.__main__
import training.__main__

ROOT = Path(__file__).parents[1]
APPS = {"training": training.__main__.app, "deploy": deploy.__main__.app}
# The words after a command, up to where something else begins.
WORDS = r"((?: +[\w./:=\"'$-]+)*)"


def find_unknown_commands(text: str) -> list[str]:
    """What of `make …` and `python -m …` does not exist: a target, a module, a subcommand or an option."""
    joined = text.replace("\\\n", " ")
    return [*_find_unknown_targets(joined), *_find_unknown_modules(joined)]


def _find_unknown_targets(text: str) -> Iterator[str]:
    for words in re.findall(rf"(?<![\w./-])make{WORDS}", text):
        for word in words.split():
            if "=" not in word and word not in read_targets():
                yield f"make {word}"


def _find_unknown_modules(text: str) -> Iterator[str]:
    for module, words in re.findall(rf"python3? -m ([\w.]+){WORDS}", text):
        if importlib.util.find_spec(module) is None:
            yield f"python -m {module}"
        elif module in APPS:
            yield from _find_unknown_words(module, words.split())


def _find_unknown_words(module: str, words: list[str]) -> Iterator[str]:
    subcommands = _read_subcommands(module)
    if not words or words[0].startswith("-"):
        return
    if words[0] not in subcommands:
        yield f"python -m {module} {words[0]}"
        return
    options = {option for parameter in subcommands[words[0]].params for option in parameter.opts} | {"--help"}
    yield from (f"python -m {module} {words[0]} {word}" for word in words if word[:2] == "--" and word not in options)


@cache
def read_targets() -> set[str]:
    """The targets of the Makefile."""
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return {target for rule in rules for target in rule.split()}


@cache
def _read_subcommands(module: str) -> dict[str, Any]:
    return dict(typer.main.get_command(APPS[module]).commands)  # type: ignore[attr-defined] # a group has them
