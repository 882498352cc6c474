"""The packages beside problem/ know nothing of the table: not its features, their number, or its subject."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Each with the folders in it that are rooms of their own here.
ROOMS = {
    "lambda_app": ["lambda_app/log"],
    "lambda_app/log": [],
    "local": [],
    "deploy": [],
    "stacks": [],
    "records": [],
    "benchmarks": [],
    "training": ["training/live"],
    "training/live": [],
    "terraform": [],
}
SUFFIXES = {".py", ".html", ".js", ".css", ".svg", ".sql", ".json", ".tf", ".hcl", ".sh"}

# The words of this table, and not those of problem/table.py: with another table some of them mean something else.
# Not s3, which is a service of AWS as well; whoever names the feature names its neighbours too.
FEATURES = "age|sex|bmi|bp|s1|s2|s4|s5|s6|cholesterol|lipoproteins?|triglycerides|ldl|hdl|vldl"
OTHERS = "diabetes|disease|progressions?|patients?"
# A whole identifier in small letters: max-age, max_age_seconds and the "Age of the oldest message" are other words.
FEATURE = re.compile(rf"(?<![A-Za-z0-9_-])(?:{FEATURES})(?![A-Za-z0-9_])")
OTHER = re.compile(rf"(?<![a-z0-9])(?:{OTHERS})(?![a-z0-9])")
COUNT = re.compile(r"\(n, 10\)|\(10,\)|\bten (?:\w+ )?(?:features|measurements|inputs|numbers|columns|values)\b")


def list_files(room: str) -> Iterator[Path]:
    others = [ROOT / other for other in ROOMS[room]]
    for path in sorted((ROOT / room).rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts)
        if path.suffix in SUFFIXES and not hidden and not any(path.is_relative_to(other) for other in others):
            yield path


def find_words(line: str) -> list[str]:
    # A part of a name is a word: of patient_count and of patientCount.
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", line).lower()
    searched = ((FEATURE, line), (OTHER, split), (COUNT, split))
    return [match[0] for expression, text in searched for match in expression.finditer(text)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("<b id=age>patientCount</b>", ["age", "patient"]),
        ('f"{row.s5} diabetes_api"', ["s5", "diabetes"]),
        ("# (n, 10) of the ten clinical measurements", ["(n, 10)", "ten clinical measurements"]),
        ("max-age, max_age, Age of it, page, S3, 10, within ten seconds", []),
    ],
)
def test_words_are_found_in_names_and_texts(line: str, words: list[str]) -> None:
    assert find_words(line) == words


@pytest.mark.parametrize("room", ROOMS)
def test_nothing_beside_problem_knows_the_table(room: str) -> None:
    paths = list(list_files(room))
    assert paths
    found = [
        f"{path.relative_to(ROOT)}:{number}: {word}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for word in find_words(line)
    ]
    assert not found, "\n".join(found)
