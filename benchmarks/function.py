"""One execution environment of a function, and what it costs."""

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.variant import Variant
from local.emulator import Emulator
from local.ports import find_free_ports


@dataclass(frozen=True)
class Site:
    """A variant's place to run: emulator, Python, packages and environment variables.

    `wake` makes PostgreSQL and S3 answer once. On AWS, other requests keep them awake. Here they sleep while a function
    with TensorFlow starts, and the next function would pay for that.
    """

    variant: Variant
    emulator: Path
    python: Path
    packages: Path
    environment: Mapping[str, str]
    log_path: Path
    wake: Callable[[], object]

    def start(self) -> "Function":
        return Function(self)


class Function:
    """The emulator listens from the beginning; the first call is the cold start."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._emulator = Emulator(
            site.emulator,
            [str(site.python), "-m", "awslambdaric", site.variant.handler],
            site.environment,
            find_free_ports(2),
            site.log_path,
            site.packages,
        )

    def call(self, event: Mapping[str, Any]) -> float:
        """Send an event and return the milliseconds until its answer, which must be a good one."""
        content = json.dumps(event).encode()
        started = time.perf_counter()
        answer = self._emulator.send(content)
        elapsed_ms = (time.perf_counter() - started) * 1000
        self._check(json.loads(answer))
        return elapsed_ms

    def freeze(self) -> None:
        """Stop the runtime, as Lambda does between invocations; TensorFlow's threads would go on."""
        os.kill(self._emulator.find_runtime(), signal.SIGSTOP)

    @contextmanager
    def thawed(self) -> Iterator[None]:
        """Let a frozen runtime answer for a while."""
        os.kill(self._emulator.find_runtime(), signal.SIGCONT)
        try:
            yield
        finally:
            self.freeze()

    def require_candidate(self) -> None:
        """Raise BenchmarkError if a candidate failed: then it took no part in what was measured."""
        if '"candidate failed"' in self._emulator.read_log():
            raise BenchmarkError(f"the candidate of {self._site.variant.name} failed: see {self._site.log_path}")

    def read_cpu_seconds(self) -> float:
        """CPU seconds that the runtime's process has used so far, user and system, of all threads."""
        # After the name, which may have spaces: the fields from the third on, of which these are 14 and 15.
        fields = self._read_process("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read_peak_mb(self) -> float:
        """The most memory that the runtime's process ever held."""
        [kibibytes] = re.findall(r"^VmHWM:\s+(\d+) kB$", self._read_process("status"), re.MULTILINE)
        return int(kibibytes) * 1024 / 1e6

    def stop(self) -> None:
        self._emulator.stop()

    def _read_process(self, name: str) -> str:
        return Path("/proc", str(self._emulator.find_runtime()), name).read_text(encoding="utf-8")

    def _check(self, answer: Mapping[str, Any]) -> None:
        # What went by the queue is no commit, and not what is to be measured.
        headers = answer.get("headers", {})
        recorded = headers.get("x-prediction-record") == "database" or not self._site.variant.is_service
        if answer.get("statusCode") != 200 or not recorded:
            raise BenchmarkError(f"{self._site.variant.name} gave no good answer: see {self._site.log_path}")
