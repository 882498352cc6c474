"""Optimisations of the cold start. Without them, the service gives the same answers.

Each docstring names the plain way that the function replaces. docs/decisions/0005-a-quick-start.md has a table of what
each one saves.
"""

import gc
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Import and wire with the garbage collector off, instead of on.

    Imported objects stay, so the collector would scan them again and again. Freezing and unfreezing moves them to the
    oldest generation. Otherwise the first collection, during the first request, would scan them once more.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        gc.enable()


def import_fastapi() -> None:
    """Import FastAPI without the validators that no request needs, instead of with all of them.

    FastAPI has about forty models for OpenAPI documents. Pydantic builds their validators at the first request for
    /openapi.json. The models of requests and responses are defined later, and built at once. FastAPI also imports all
    of `pydantic.v1`, only to recognise its models. No model here is one.
    """
    sys.modules.setdefault("pydantic.v1", None)  # type: ignore[arg-type]
    from pydantic import BaseModel  # noqa: PLC0415

    BaseModel.model_config["defer_build"] = True
    try:
        import fastapi  # noqa: F401, PLC0415
    finally:
        del BaseModel.model_config["defer_build"]


class _Certificate:
    """Takes the place of asn1crypto's class of this name in scramp, and imports it when it is needed."""

    @staticmethod
    def load(content: bytes, **options: Any) -> Any:
        from asn1crypto.x509 import Certificate  # noqa: PLC0415

        return Certificate.load(content, **options)


def import_scramp() -> None:
    """Import scramp, pg8000's login with a password, without asn1crypto, instead of with it.

    scramp's client needs asn1crypto only for a login over TLS, to read the server's certificate. The service logs in to
    RDS Proxy with a token.
    """
    # pem is for scramp's server.
    substitutes = {
        "asn1crypto": SimpleNamespace(pem=None),
        "asn1crypto.x509": SimpleNamespace(Certificate=_Certificate),
    }
    if sys.modules.keys() & substitutes.keys():
        return
    sys.modules.update(substitutes)  # type: ignore[arg-type]
    try:
        import scramp  # noqa: F401, PLC0415
    finally:
        for name in substitutes:
            del sys.modules[name]


@contextmanager
def running_ahead(*calls: Callable[[], Any]) -> Iterator[list[Future[Any]]]:
    """Make calls that wait for S3 and the database in threads during the imports, instead of afterwards.

    The calls must not import anything: two threads that import wait for each other.
    """
    with ThreadPoolExecutor() as threads:
        yield [threads.submit(call) for call in calls]
