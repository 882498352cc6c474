"""The commands of the project, to compare with those that documents and workflows name."""

import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import typer

import benchmarks.__main__
import benchmarks.scaling
import deploy.__main__
import local.aws_container
import local.events
import local.run
import records.commands
import tests.faults.__main__
import training.__main__

ROOT = Path(__file__).parents[1]
APPS = {
    "training": training.__main__.app,
    "deploy": deploy.__main__.app,
    "records": records.commands.app,
    "local": local.run.app,
    "local.events": local.events.app,
    "local.aws_container": local.aws_container.app,
    "benchmarks": benchmarks.__main__.app,
    "benchmarks.scaling": benchmarks.scaling.app,
    "tests.faults": tests.faults.__main__.app,
}
# The words after a command, up to where something else begins.
WORDS = r"((?: +[\w./:=\"'$-]+)*)"


def find_unknown_commands(text: str) -> list[str]:
    """The parts of `make …` and `python -m …` that do not exist: a target, a module, a subcommand or an option."""
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
    command = _read_command(module)
    name = f"python -m {module}"
    while hasattr(command, "commands"):
        if not words or words[0].startswith("-"):
            return
        if words[0] not in command.commands:
            yield f"{name} {words[0]}"
            return
        command, name, words = command.commands[words[0]], f"{name} {words[0]}", words[1:]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    yield from (f"{name} {word}" for word in words if word[:2] == "--" and word not in options)


@cache
def read_targets() -> set[str]:
    """The targets of the Makefile."""
    rules = re.findall(r"^([a-z][a-z -]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    return {target for rule in rules for target in rule.split()}


@cache
def _read_command(module: str) -> Any:
    return typer.main.get_command(APPS[module])
