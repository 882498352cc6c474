"""A function in a container of its own: the image's emulator takes its events by HTTP."""

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any

from local.emulator import post_event
from local.errors import FunctionError

# What the images of AWS listen on.
PORT = 8080
START_SECONDS = 120


class ContainerFunction:
    """The function in the container of that name. As an execution environment, it takes one event at a time."""

    def __init__(self, host: str, timeout_seconds: float) -> None:
        self._host = host
        self._timeout_seconds = timeout_seconds

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The answer; FunctionError where the function fails, or can't be asked."""
        try:
            answer = json.loads(post_event(self._host, PORT, json.dumps(event).encode(), self._timeout_seconds))
        except (OSError, http.client.HTTPException, ValueError) as error:
            # The emulator answers with plain text where the function has ended or has taken too long.
            raise FunctionError(f"{self._host} gave no answer ({type(error).__name__})") from error
        if "errorType" in answer:
            # Its message stands in the function's own log.
            raise FunctionError(f"{self._host} failed with {answer['errorType']}")
        return dict(answer)

    def wait_until_answers(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The first answer, which comes after the cold start; FunctionError where none comes in time."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.invoke(event)
            except FunctionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
