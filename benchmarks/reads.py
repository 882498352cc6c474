"""Counts the files that a start reads up to its first answer. Runs in a function's own Python, with its packages.

`python reads.py HANDLER EVENT` starts the function HANDLER, hands it the file EVENT, and prints as JSON how many files
were opened or mapped, and how many megabytes were read or are mapped into memory. The files' bytes count whether they
come from the disk or from the page cache.
"""

import importlib
import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from uuid import uuid4

opened: set[str] = set()


def note_open(event: str, arguments: tuple[Any, ...]) -> None:
    # The other kind of first argument is a descriptor, of a file that was opened before.
    if event == "open" and isinstance(arguments[0], str):
        opened.add(arguments[0])


def start(handler: str, event: Path) -> None:
    # The runtime that calls a function has its own modules, which the function need not read again.
    import awslambdaric.bootstrap  # noqa: F401, PLC0415

    module, _, name = handler.rpartition(".")
    context = SimpleNamespace(
        aws_request_id=str(uuid4()),
        function_name="function",
        function_version="$LATEST",
        invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:function",
        memory_limit_in_mb=1024,
    )
    answer = getattr(importlib.import_module(module), name)(json.loads(event.read_bytes()), context)
    if answer["statusCode"] != 200:
        raise ValueError(answer["body"])


def list_files() -> set[str]:
    """Files that were opened, the bytecode of modules from before this script, and mapped libraries."""
    cached = [module.__cached__ for module in sys.modules.values() if has_bytecode(module)]
    mapped = re.findall(r" (/.*)$", Path("/proc/self/maps").read_text(encoding="utf-8"), re.MULTILINE)
    paths = {os.path.realpath(path) for path in (*opened, *cached, *mapped)}
    return {path for path in paths if os.path.isfile(path) and not path.startswith(("/proc/", "/dev/", "/sys/"))}


def has_bytecode(module: ModuleType) -> bool:
    return isinstance(getattr(module, "__cached__", None), str)


def count_megabytes() -> float:
    """Bytes that read() returned, and those of mapped files that are in memory."""
    [read] = re.findall(r"^rchar: (\d+)$", Path("/proc/self/io").read_text(encoding="utf-8"), re.MULTILINE)
    [mapped] = re.findall(r"^RssFile:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    return (int(read) + int(mapped) * 1024) / 1e6


def main() -> None:
    sys.addaudithook(note_open)
    start(sys.argv[1], Path(sys.argv[2]))
    megabytes = count_megabytes()
    print(json.dumps({"files": len(list_files()), "megabytes": megabytes}))


if __name__ == "__main__":
    main()
