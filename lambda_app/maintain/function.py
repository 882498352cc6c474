"""The tasks of the function maintain: the daily work, and those that `python -m records` asks for."""

from lambda_app.maintain.daily import work_daily
from lambda_app.maintain.erasure import erase
from lambda_app.maintain.holds import add_hold, list_holds, remove_hold
from lambda_app.maintain.replacement import export_again
from lambda_app.maintain.show import show
from lambda_app.maintain.status import report_status
from lambda_app.maintain.tools import MaintenanceTools
from lambda_app.tasks import Task, make_task_handler
from lambda_app.telemetry import LambdaHandler

TASKS: dict[str, Task[MaintenanceTools]] = {
    "daily": work_daily,
    "status": report_status,
    "show": show,
    "erase": erase,
    "export_again": export_again,
    "hold_add": add_hold,
    "hold_list": list_holds,
    "hold_remove": remove_hold,
}


def make_handler(tools: MaintenanceTools) -> LambdaHandler:
    """Return the Lambda handler of the function."""
    return make_task_handler(tools, TASKS, "daily", tools.telemetry.maintenance_ended)
