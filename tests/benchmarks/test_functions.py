"""The functions that the benchmark compares."""

import dataclasses
import io
import json
import os
import runpy
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from benchmarks.errors import BenchmarkError
from benchmarks.function import Site
from benchmarks.measure import BATCH_SIZES, Counts, Samples, make_batch_event, measure, start_uncached
from benchmarks.packages import has_packages
from benchmarks.page_cache import can_empty_page_cache
from benchmarks.stage import load_event, running_stage, write_features
from benchmarks.variant import HELLO_WORLD, REQUEST_MODEL, SERVICE, SERVICE_SHADOW, VARIANTS, Variant
from lambda_app.settings import Settings
from lambda_app.table import Kind, integer
from problem.table import TABLE
from tests.conftest import connect_database
from tests.machine import require


def is_available(variant: Variant) -> bool:
    """Leave out variants whose packages are not installed: TensorFlow takes half a minute and 1.8 GB."""
    return (
        variant in (HELLO_WORLD, SERVICE, SERVICE_SHADOW)
        or has_packages(variant)
        or os.environ.get("REQUIRE_ALL") == "1"
    )


@pytest.fixture(scope="module")
def sites(bundle: Path, emulator_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Site]]:
    variants = [variant for variant in VARIANTS if is_available(variant)]
    directory = tmp_path_factory.mktemp("bench") / "stage"
    with running_stage(directory, emulator_path, bundle, Console(file=io.StringIO()), variants) as sites:
        yield {site.variant.name: site for site in sites}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_function_answers_its_first_call(variant: Variant, sites: dict[str, Site]) -> None:
    require(variant.name in sites, f"the packages of {variant.name}, which make bench installs")
    function = sites[variant.name].start()
    try:
        assert function.call(load_event("predict")) > 0
        assert function.read_cpu_seconds() > 0
        assert function.read_peak_mb() > 20
    finally:
        function.stop()


def test_run_measures_everything_and_commits_every_row(sites: dict[str, Site], bundle: Path) -> None:
    settings = Settings.from_env(sites["service"].environment)
    connection = connect_database(settings)
    count = "SELECT count(*), count(shadow_prediction) FROM predictions"
    [[before, shadows_before]] = connection.run(count)
    chosen = [sites["bare"], sites["service"], sites["service-shadow"]]
    counts = Counts(cold=2, compared=1, uncached=0, warm=3, block=2, batches=1)
    samples = measure(chosen, bundle, counts, lambda *_: nullcontext(lambda _: None))
    [[after, shadows_after]] = connection.run(count)
    connection.close()
    # A cold start and the first call of each batch size do not count, but are made; so is one to see what is read.
    calls = 1 + 3 + 3 + 2 * sum(BATCH_SIZES)
    compared = 1 + counts.compared
    assert (after - before, shadows_after - shadows_before) == (compared + 2 * calls, calls)
    bare, service, shadow = samples["bare"], samples["service"], samples["service-shadow"]
    for own, starts in ((bare, 3), (service, 3), (shadow, 2)):
        measured = (own.cold_ms, own.cpu_s, own.cold_peak_mb, own.warm_ms)
        assert tuple(map(len, measured)) == (starts, starts, starts, 3)
        assert own.peak_mb >= own.cold_peak_mb[-1]
    assert {size: len(elapsed_ms) for size, elapsed_ms in service.batch_ms.items()} == dict.fromkeys(BATCH_SIZES, 1)
    assert len(service.inference_ms) == 200
    assert not bare.batch_ms
    assert not bare.inference_ms
    assert not shadow.inference_ms
    assert service.packages_mb > bare.packages_mb > 1
    # A process has hundreds of modules, each with a file of bytecode.
    assert service.files_read > bare.files_read > 300
    assert service.read_mb > bare.read_mb > 10


@pytest.mark.skipif(not can_empty_page_cache(), reason="only root can empty the page cache")
def test_a_start_with_an_empty_page_cache_is_measured(sites: dict[str, Site]) -> None:
    samples = {"bare": Samples(packages_mb=0)}
    start_uncached([sites["bare"]], samples, 1, lambda _: None)
    assert len(samples["bare"].uncached_ms) == 1


def test_a_failing_candidate_ends_the_run(sites: dict[str, Site]) -> None:
    site = sites["service-shadow"]
    late = dataclasses.replace(site, environment={**site.environment, "CANDIDATE_MAX_MS": "1"})
    # No machine predicts for a thousand in ten milliseconds.
    function = late.start()
    try:
        function.call(load_event("predict"))
        function.call(make_batch_event(1000))
        with pytest.raises(BenchmarkError, match="the candidate of service-shadow failed: see "):
            function.require_candidate()
    finally:
        function.stop()


def test_function_sees_its_own_packages_alone_with_accepted_bytecode(sites: dict[str, Site]) -> None:
    site = sites["service"]
    own = ["awslambdaric", "fastapi", "lambda_app.handler", "ai_edge_litert"]
    others = ["pytest", "tensorflow", "rich", "uvicorn"]
    code = (
        "import importlib.util, json, sys; find = importlib.util.find_spec;"
        "print(json.dumps({name: (spec := find(name)) and spec.cached for name in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [str(site.python), "-c", code, *own, *others],
        cwd=site.packages,
        env=dict(site.environment),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert [found[name] for name in others] == [None] * len(others)
    # The flag of a .pyc file whose source is never looked at.
    assert [Path(found[name]).read_bytes()[4] for name in own] == [1] * len(own)


def test_request_model_has_the_limits_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = integer("rooms", "Rooms", "", 1, 9, example=3)
    table = dataclasses.replace(TABLE, features=(*TABLE.features, whole))
    monkeypatch.setattr("benchmarks.stage.TABLE", table)
    write_features(tmp_path / "features.json")
    model = runpy.run_path(str(shutil.copy(REQUEST_MODEL[0], tmp_path)))["Case"]
    assert tuple(model.model_fields) == table.names
    for feature in table.features:
        for bound in (feature.minimum, feature.maximum):
            model.model_validate({**table.example, feature.name: bound})
        beyond: list[object] = [feature.minimum - 1, feature.maximum + 1, str(feature.example), float("nan")]
        for value in [*beyond, *([] if feature.kind is Kind.REAL else [feature.minimum + 0.5])]:
            with pytest.raises(ValidationError):
                model.model_validate({**table.example, feature.name: value})
    with pytest.raises(ValidationError):
        model.model_validate({**table.example, "colour": 1})
