"""The tasks of the function maintain: the daily work, and those that `python -m records` asks for.

An event is {"task": NAME, ...}; without a task, it is the daily work. The answer is the result of the task, or
{"error": TEXT} where the request cannot be served: a wrong parameter, or a hold.
"""

import dataclasses
from typing import Any

from lambda_app.maintain.daily import work_daily
from lambda_app.maintain.erasure import erase
from lambda_app.maintain.holds import add_hold, list_holds, remove_hold
from lambda_app.maintain.replacement import export_again
from lambda_app.maintain.show import show
from lambda_app.maintain.status import report_status
from lambda_app.maintain.tools import MaintenanceError, Task, TaskError, Tools, describe_failure
from lambda_app.telemetry import LambdaHandler

TASKS: dict[str, Task] = {
    "daily": work_daily,
    "status": report_status,
    "show": show,
    "erase": erase,
    "export_again": export_again,
    "hold_add": add_hold,
    "hold_list": list_holds,
    "hold_remove": remove_hold,
}


def make_handler(tools: Tools) -> LambdaHandler:
    """Return the Lambda handler that runs the task of an event."""

    def maintain(event: dict[str, Any], context: Any) -> dict[str, Any]:
        """Run a task; return its result, or {"error": TEXT}."""
        name = event.get("task", "daily")
        task = TASKS.get(name)
        try:
            if task is None:
                raise TaskError(f"there is no task {name!r}: use {', '.join(TASKS)}")
            answer = task(_limit_time(tools, context), event)
        except TaskError as error:
            tools.telemetry.maintenance_ended(name)
            return {"error": str(error)}
        except Exception as error:
            reason = describe_failure(error)
            tools.telemetry.maintenance_ended(name, failure=reason)
            # Lambda logs the text of an exception.
            raise MaintenanceError(f"{name}: {reason}") from None
        finally:
            tools.database.close()
        tools.telemetry.maintenance_ended(name)
        return answer

    return tools.telemetry.wrap_handler(maintain)


def _limit_time(tools: Tools, context: Any) -> Tools:
    """The tools with the time of this invocation, which only Lambda limits."""
    read_milliseconds = getattr(context, "get_remaining_time_in_millis", None)
    if read_milliseconds is None:
        return tools
    return dataclasses.replace(tools, seconds_left=lambda: read_milliseconds() / 1000)
