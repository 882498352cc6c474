"""The project's name and the prefix of its resources, from problem/project.json, which Terraform reads too."""

import json
from importlib import resources

_project = json.loads(resources.files("problem").joinpath("project.json").read_bytes())

NAME: str = _project["name"]
# Of the database's roles and the Prometheus series, and so a SQL identifier.
PREFIX: str = _project["prefix"]
METRICS_NAMESPACE = "".join(word.capitalize() for word in NAME.split("-"))

API_ROLE, REPLAY_ROLE, READER_ROLE = (f"{PREFIX}_{role}" for role in ("api", "replay", "reader"))
