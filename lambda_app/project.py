"""The name of the project and the prefix of its resources. Terraform reads the same file, problem/project.json."""

import json
from importlib import resources

_project = json.loads(resources.files("problem").joinpath("project.json").read_bytes())

NAME: str = _project["name"]
# For database roles and Prometheus series, so it must be a SQL identifier.
PREFIX: str = _project["prefix"]
METRICS_NAMESPACE = "".join(word.capitalize() for word in NAME.split("-"))

API_ROLE, REPLAY_ROLE, MAINTAIN_ROLE, MONITOR_ROLE, READER_ROLE = (
    f"{PREFIX}_{role}" for role in ("api", "replay", "maintain", "monitor", "reader")
)
