"""Docstrings say in their first line what a thing does or is, and do not begin with a riddle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("problem", "lambda_app", "training", "local", "deploy", "stacks", "records", "benchmarks", "tests")
RIDDLES = {"what", "who", "whom", "whose", "where", "whether", "which"}


@pytest.mark.parametrize(
    "path",
    [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_docstring_begins_with_a_riddle(path: Path) -> None:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, documented)]
    first_words = [(ast.get_docstring(node) or "-").split()[0].strip(",.:").lower() for node in nodes]
    assert RIDDLES & set(first_words) == set()
