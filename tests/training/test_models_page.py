"""docs/model.md names every file, figure and number of a model."""

import json
import re
from pathlib import Path

from training.calibrate import MOST_SCORES
from training.gates import COVERAGE_TOLERANCE, PARITY_TOLERANCE
from training.network import HIDDEN_UNITS, MEMBERS

PAGE = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")


def test_it_has_every_file_and_figure_of_a_version(bundle: Path) -> None:
    files = re.findall(r"^\| `([\w.]+)` \|", read_section("What a version consists of"), re.MULTILINE)
    assert sorted(files) == sorted(path.name for path in bundle.iterdir())
    rows = re.findall(r"^\| (`.+?) \|", read_section("What the figures mean"), re.MULTILINE)
    metrics = json.loads((bundle / "manifest.json").read_bytes())["metrics"]
    figures = {f"{group}.{name}" for group, values in metrics.items() for name in values}
    assert sorted(name for row in rows for name in re.findall(r"`(\w+\.\w+)`", row)) == sorted(figures)


def read_section(heading: str) -> str:
    """The text up to the next heading of this level."""
    return PAGE.split(f"\n## {heading}\n")[1].partition("\n## ")[0]


def test_it_has_the_numbers_of_the_code() -> None:
    assert (MEMBERS, len(HIDDEN_UNITS), PARITY_TOLERANCE, COVERAGE_TOLERANCE) == (40, 2, 3e-6, 0.04)
    for said in (
        "forty small networks",
        "two hidden layers",
        "differ by at most 3 millionths of the range",
        "within four points",
        f"at most {MOST_SCORES} are kept",
    ):
        assert said in PAGE
