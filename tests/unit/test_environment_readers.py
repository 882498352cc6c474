"""The environment is read in one place."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_only_settings_reads_the_environment() -> None:
    readers = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "lambda_app").rglob("*.py"))
        if "os.environ" in (text := path.read_text(encoding="utf-8")) or "os.getenv" in text
    ]
    # handler hands the environment to Settings.from_env and reads nothing itself.
    assert readers == ["lambda_app/handler.py"]
