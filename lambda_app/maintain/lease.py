"""The lease: whoever holds it works on the records alone."""

import contextlib
from collections.abc import Iterator

from lambda_app.log.database import DATABASE_ERRORS
from lambda_app.maintain.tools import MaintenanceTools, forget_failures
from lambda_app.tasks import TaskError

# The longest that Lambda lets a function run, and some time for clocks and the last request.
LEASE_SECONDS = 16 * 60

_TAKE = """
UPDATE lease SET holder = :holder, ends_at = now() + make_interval(secs => :seconds)
WHERE ends_at < now() OR holder = :holder
RETURNING true
"""
_FIND_END = "SELECT to_char(ends_at AT TIME ZONE 'UTC', 'HH24:MI') FROM lease"
_GIVE_BACK = "UPDATE lease SET holder = NULL, ends_at = '-infinity' WHERE holder = :holder"


@contextlib.contextmanager
def working_alone(tools: MaintenanceTools) -> Iterator[None]:
    """Hold the lease during `with`; TaskError while another run holds it.

    It is a row and no advisory lock. A lock of a transaction would keep one open for minutes. A lock of a session
    pins the connection in RDS Proxy, is lost without notice when the connection is, and does nothing behind a pooler
    that shares sessions. A run that is killed keeps the lease for as long as it might have worked on, and so does one
    that has lost the database. But the next task of the same execution environment takes it at once.
    """
    taken = tools.database.run_statement(
        lambda connection: connection.run(_TAKE, holder=tools.holder, seconds=float(LEASE_SECONDS))
    )
    if not taken:
        [[end]] = tools.database.run_statement(lambda connection: connection.run(_FIND_END))
        raise TaskError(
            f"another run is at work on the records: try again when it has ended, at {end} UTC at the latest"
        )
    try:
        yield
    finally:
        forget_failures(tools.database)
        # Without the database the lease ends by itself, or is taken by the next task.
        with contextlib.suppress(*DATABASE_ERRORS):
            tools.database.run_statement(lambda connection: connection.run(_GIVE_BACK, holder=tools.holder))
