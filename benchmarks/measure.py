"""The measurements. The functions take turns, so that whatever else this machine does is shared by all of them."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkError
from benchmarks.function import Function, Site
from benchmarks.packages import measure_size_mb
from benchmarks.page_cache import can_empty_page_cache, empty_page_cache
from benchmarks.stage import EVENTS, load_event
from benchmarks.variant import HELLO_WORLD, SERVICE

BATCH_SIZES = (1, 10, 100, 1000)
COMPARED = (HELLO_WORLD, SERVICE)
INFERENCE = Path(__file__).with_name("inference.py")
READS = Path(__file__).with_name("reads.py")

# Gets a title and a number of steps; its context yields what to call after each step, with its number.
ShowProgress = Callable[[str, str, int], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True)
class Counts:
    """How many of each; the warm calls come in blocks, one function's after the other's.

    `compared` are further cold starts of the two functions whose ratio has the narrowest goal: the quartiles of ten
    starts lie so far apart that the ratio changes by a sixth from run to run.
    """

    cold: int = 10
    compared: int = 30
    uncached: int = 5
    warm: int = 1000
    block: int = 50
    batches: int = 20


@dataclass
class Samples:
    """The measurements of one function. CPU seconds and `cold_peak_mb` are those of each cold start."""

    packages_mb: float
    cold_ms: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    cold_peak_mb: list[float] = field(default_factory=list)
    # Cold starts with an empty page cache; none where this machine does not let us empty it.
    uncached_ms: list[float] = field(default_factory=list)
    files_read: int = 0
    read_mb: float = 0.0
    warm_ms: list[float] = field(default_factory=list)
    # After all warm calls.
    peak_mb: float = 0.0
    inference_ms: list[float] = field(default_factory=list)
    # By the number of cases.
    batch_ms: dict[int, list[float]] = field(default_factory=dict)


def measure(sites: Sequence[Site], bundle: Path, counts: Counts, show_progress: ShowProgress) -> dict[str, Samples]:
    """Everything about the functions, by their names."""
    samples = {site.variant.name: Samples(measure_size_mb(site.packages)) for site in sites}
    if can_empty_page_cache():
        with show_progress("Cold starts, page cache empty", "start", counts.uncached * len(sites)) as report:
            start_uncached(sites, samples, counts.uncached, report)
    with show_progress("Files that a start reads", "function", len(sites)) as report:
        for step, site in enumerate(sites, 1):
            own = samples[site.variant.name]
            own.files_read, own.read_mb = count_reads(site)
            report(step)
    pair = [site for site in sites if site.variant in COMPARED]
    with (
        show_progress("Cold starts of two", "start", (counts.compared + 1) * len(pair)) as report,
        ExitStack() as ended,
    ):
        start_cold(pair, samples, counts.compared, ended, report)
    with ExitStack() as running:
        with show_progress("Cold starts", "start", (counts.cold + 1) * len(sites)) as report:
            functions = start_cold(sites, samples, counts.cold, running, report)
        with show_progress("Warm calls", "block", -(-counts.warm // counts.block) * len(sites)) as report:
            call_warm(functions, samples, counts, report)
        for name, function in functions.items():
            function.require_candidate()
            samples[name].peak_mb = function.read_peak_mb()
        services = [site.variant.name for site in sites if site.variant.has_batches]
        for name in services:
            with show_progress(f"Batches to {name}", "size", len(BATCH_SIZES)) as report, functions[name].thawed():
                samples[name].batch_ms = call_batches(functions[name], counts.batches, report)
    predicting = [site for site in sites if site.variant.inference]
    with show_progress("Predicting without a service around it", "function", len(predicting)) as report:
        for step, site in enumerate(predicting, 1):
            samples[site.variant.name].inference_ms = time_inference(site, bundle)
            report(step)
    return samples


def start_uncached(
    sites: Sequence[Site], samples: Mapping[str, Samples], count: int, report: Callable[[int], None]
) -> None:
    """Start each function so often, each time with nothing in the page cache of what it reads."""
    event = load_event("predict")
    step = 0
    for _ in range(count):
        for site in sites:
            function = site.start()
            try:
                # The emulator runs already: it is no part of the start.
                empty_page_cache()
                site.wake()
                samples[site.variant.name].uncached_ms.append(function.call(event))
            finally:
                function.stop()
            step += 1
            report(step)


def count_reads(site: Site) -> tuple[int, float]:
    """How many files a start reads, and how many megabytes, in a process of its own without the emulator."""
    found = run_script(site, READS, site.variant.handler, str(EVENTS / "predict.json"))
    return found["files"], found["megabytes"]


def start_cold(
    sites: Sequence[Site], samples: Mapping[str, Samples], count: int, running: ExitStack, report: Callable[[int], None]
) -> dict[str, Function]:
    """Start each function so often, and once more before that, which reads its files into the page cache.

    The functions of the last round stay, frozen, and end with `running`.
    """
    event = load_event("predict")
    functions = {}
    step = 0
    for number in range(count + 1):
        for site in sites:
            site.wake()
            with ExitStack() as starting:
                function = site.start()
                starting.callback(function.stop)
                elapsed_ms = function.call(event)
                if number > 0:
                    own = samples[site.variant.name]
                    own.cold_ms.append(elapsed_ms)
                    own.cpu_s.append(function.read_cpu_seconds())
                    own.cold_peak_mb.append(function.read_peak_mb())
                if number == count:
                    function.freeze()
                    functions[site.variant.name] = function
                    running.push(starting.pop_all())
            step += 1
            report(step)
    return functions


def call_warm(
    functions: Mapping[str, Function], samples: Mapping[str, Samples], counts: Counts, report: Callable[[int], None]
) -> None:
    event = load_event("predict")
    step = 0
    for first in range(0, counts.warm, counts.block):
        for name, function in functions.items():
            with function.thawed():
                for _ in range(min(counts.block, counts.warm - first)):
                    samples[name].warm_ms.append(function.call(event))
            step += 1
            report(step)


def call_batches(function: Function, count: int, report: Callable[[int], None]) -> dict[int, list[float]]:
    """Milliseconds by batch size; the first call of a size makes the network ready for it, and does not count."""
    elapsed_ms = {}
    for step, size in enumerate(BATCH_SIZES, 1):
        event = make_batch_event(size)
        elapsed_ms[size] = [function.call(event) for _ in range(count + 1)][1:]
        report(step)
    return elapsed_ms


def make_batch_event(size: int) -> dict[str, Any]:
    """The sample batch with another number of cases."""
    event = load_event("predict_batch")
    [(name, cases)] = json.loads(event["body"]).items()
    body = json.dumps({name: [cases[number % len(cases)] for number in range(size)]})
    return event | {"body": body, "headers": event["headers"] | {"content-length": str(len(body))}}


def time_inference(site: Site, bundle: Path) -> list[float]:
    """Milliseconds of each prediction for one case, in a process of its own with the function's packages."""
    elapsed_ms: list[float] = run_script(site, INFERENCE, site.variant.inference, str(bundle))
    return elapsed_ms


def run_script(site: Site, script: Path, *arguments: str) -> Any:
    """Run the script in the function's Python with its packages; returns the JSON of its last line."""
    # -P: the modules beside the script are none of the function's.
    command = [str(site.python), "-P", str(script), *arguments]
    environment = {**site.environment, "PYTHONPATH": str(site.packages)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{script.name} of {site.variant.name} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])
