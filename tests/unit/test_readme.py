"""The README's tables say what the code says."""

import re
from dataclasses import fields
from pathlib import Path

from lambda_app.features import FEATURES
from lambda_app.settings import Settings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_settings_table_names_every_variable() -> None:
    table = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)
    set_by_lambda = "AWS_LAMBDA_LOG_STREAM_NAME"
    assert [*table, set_by_lambda] == [field.name.upper() for field in fields(Settings)]
    assert f"Lambda itself sets `{set_by_lambda}`" in README


def test_feature_table_has_every_feature_with_its_bounds() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (?:(\S+) to (\S+).*|1 or 2) \|$", README, re.MULTILINE)
    expected = [
        (f.name, f.meaning, *(("", "") if f.name == "sex" else (f"{f.minimum:g}", f"{f.maximum:g}"))) for f in FEATURES
    ]
    assert [row for row in rows if row[0] in {f.name for f in FEATURES}] == expected
