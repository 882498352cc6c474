"""Tables and pictures in documents agree with the code."""

import re
from dataclasses import fields
from pathlib import Path

from lambda_app.settings import Settings
from problem.table import TABLE

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_settings_table_names_every_variable() -> None:
    table = re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE)
    names = [field.name.upper() for field in fields(Settings)]
    assert table == names[: len(table)]
    [told] = re.findall(r"^Lambda sets (.+?)\n\n", SETTINGS, re.MULTILINE | re.DOTALL)
    assert set(names[len(table) :]) == {name for name in names if f"`{name}`" in told}


def test_feature_table_has_every_feature_with_its_bounds() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (?:(\S+) to (\S+).*|1 or 2) \|$", API, re.MULTILINE)
    expected = [
        (f.name, f.meaning, *(("", "") if f.name == "sex" else (f"{f.minimum:g}", f"{f.maximum:g}")))
        for f in TABLE.features
    ]
    assert [row for row in rows if row[0] in {f.name for f in TABLE.features}] == expected


def test_picture_of_the_architecture_has_every_edge_of_the_network() -> None:
    picture = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^    sg(\w+) ==>\|(\d+)\| sg(\w+)$", picture, re.MULTILINE)
    groups = (ROOT / "terraform" / "modules" / "network" / "security_groups.tf").read_text(encoding="utf-8")
    edges = re.findall(r'\{ from = "(\w+)", to = "(\w+)", port = (\d+) \}', groups)
    assert edges
    assert sorted((start, end, port) for start, port, end in drawn) == sorted(edges)
