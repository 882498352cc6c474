"""The settings of the environments, read from terraform/, for tests of documents that quote them."""

import re
from pathlib import Path

TERRAFORM = Path(__file__).parents[1] / "terraform"
_SETTING = re.compile(r"^    (\w+) += (.+)$", re.MULTILINE)


def read_settings(environment: str) -> dict[str, str]:
    """Return the settings of an environment as text, the defaults included."""
    defaults = {name: re.fullmatch(r"optional\(\w+, (.+)\)", kind) for name, kind in _list_types().items()}
    return {name: found[1].strip('"') for name, found in defaults.items() if found} | read_own_settings(environment)


def read_own_settings(environment: str) -> dict[str, str]:
    """Return the settings in the environment's own file as text."""
    text = (TERRAFORM / "environments" / environment / "main.tf").read_text(encoding="utf-8")
    settings = text.partition("\n  settings = {\n")[2].partition("\n  }\n")[0]
    return {name: value.strip('"') for name, value in _SETTING.findall(settings)}


def list_declared_settings() -> set[str]:
    """Return the names of all settings."""
    return set(_list_types())


def _list_types() -> dict[str, str]:
    text = (TERRAFORM / "modules" / "environment" / "variables.tf").read_text(encoding="utf-8")
    return dict(_SETTING.findall(text.partition('\nvariable "settings" {\n')[2]))
