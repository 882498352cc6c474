"""Serves the API on this machine, and describes it at the start."""

import json
from typing import Any

import uvicorn

from lambda_app.http.schemas import EXAMPLE_REQUEST

# One line for each request, and nothing of uvicorn's start and end, which the stack tells in its own words.
LOG_CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"()": "uvicorn.logging.AccessFormatter", "fmt": "%(request_line)s %(status_code)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stdout"}},
    "loggers": {
        "uvicorn.error": {"level": "WARNING"},
        "uvicorn.access": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}


def serve_http(app: Any, host: str, port: int) -> None:
    """Answer requests with the ASGI application until a signal ends it."""
    uvicorn.run(app, host=host, port=port, lifespan="off", log_config=LOG_CONFIG, server_header=False)


def describe_api(url: str) -> str:
    """The lines that introduce the API at `url`."""
    return f"""Ready. Open {url} for the page, {url}/docs for the routes, or ask for a prediction:

  curl -s {url}/predict -H 'content-type: application/json' -d '{json.dumps(EXAMPLE_REQUEST)}'

Health {url}/health · metrics {url}/metrics"""
