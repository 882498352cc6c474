"""`python -m local.scheduler`: does the work of EventBridge Scheduler for maintain or monitor in a container.

It invokes the function at once and then every day. With a task, it invokes the function once and prints the answer.
"""

import contextlib
import json
import time
from typing import Annotated

import typer

from local.errors import FunctionError
from local.function import ContainerFunction
from local.stack import ending_by_signal
from training.options import make_app, report_errors

app = make_app()

DAY_SECONDS = 86400
# The function's own limit on Lambda.
TIMEOUT_SECONDS = 900


@app.command()
def main(
    function: Annotated[str, typer.Option(metavar="HOST", help="The container of the function.")],
    daily: Annotated[str, typer.Option(metavar="NAME", help="The task of each day.")] = "daily",
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Run this task once, for example status.")] = None,
) -> None:
    """Invoke the function now and every day, or once with a task."""
    container = ContainerFunction(function, TIMEOUT_SECONDS)
    with report_errors(FunctionError), contextlib.suppress(KeyboardInterrupt, SystemExit), ending_by_signal():
        if task:
            print(json.dumps(container.wait_until_answers({"task": task}), indent=2))
            return
        while True:
            # A run that fails has logged why, and the next day's does the rest.
            with contextlib.suppress(FunctionError):
                container.wait_until_answers({"task": daily})
            time.sleep(DAY_SECONDS)


if __name__ == "__main__":
    app(prog_name="python -m local.scheduler")
