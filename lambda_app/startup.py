"""Makes a cold start quick, and does nothing else: the service answers the same without any of it.

Each function stands in the place of a plain way, which its docstring names. The shares are of the processor time of a
cold start; docs/decisions/0005-a-quick-start.md has them all in one table.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Import and wire with the garbage collector off, instead of on.

    What is imported stays, and the collector would search it again and again. To freeze and unfreeze moves all of it
    to the oldest generation, else the first collection afterwards, in the first request, would search it once more.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()


def import_fastapi() -> None:
    """Import FastAPI without validators that no request needs, instead of by its first use.

    FastAPI has some forty models of OpenAPI documents. Pydantic builds their validators when /openapi.json is first
    asked for. The models of requests and responses are defined later, and built at once.
    FastAPI also imports the whole of `pydantic.v1` to find out whether a model is one of it. Without it, none is.
    """
    sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
    from pydantic import BaseModel  # noqa: PLC0415

    BaseModel.model_config["defer_build"] = True
    try:
        import fastapi  # noqa: F401, PLC0415
    finally:
        del BaseModel.model_config["defer_build"]


@contextmanager
def running_ahead(*calls: Callable[[], Any]) -> Iterator[list[Future[Any]]]:
    """Make the calls in threads while the block imports, instead of after it: they wait for S3 and the database.

    They must import nothing themselves: two threads that import wait for each other.
    """
    with ThreadPoolExecutor() as threads:
        yield [threads.submit(call) for call in calls]
