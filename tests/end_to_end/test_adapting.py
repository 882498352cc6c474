"""Another table: a copy of the repository with another problem/ trains, publishes and serves, and has its page."""

import itertools
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from local.aws_client import connect_aws
from local.aws_services import IDENTITY, REGION
from local.emulator import Emulator
from local.gateway import Gateway
from local.ports import LOOPBACK, find_free_ports
from local.process import build_environment
from tests.end_to_end.browsing import Visiting, serve_app
from tests.end_to_end.runs import ROOT, Clone, Run, copy_tracked_files, find_registry_command, query
from tests.events import make_event
from tests.machine import find_port_row
from tests.trained import find_directory
from training.registry import find_newest_bundle

ROWS = 4137
# Half of the default, which takes longer; they are enough for the gates.
EPOCHS = 6
# The first student of the data, whose grade point average was 2.04.
STUDENT = {"sat": 920, "verbmath": 0.48387, "hsize": 0.1, "hsrank": 4, "hsperc": 40, "tothrs": 43, "athlete": 1}
BUCKET = "college-models"

# Runs a command of the registry.
Registry = Callable[[str], str]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A copy of the repository, known to git, with the example's problem/ in the place of its own."""
    directory = tmp_path_factory.mktemp("adapted") / "project"
    copy_tracked_files(directory)
    clone = Clone(directory, linked=(".venv",))
    clone.do("git init --quiet && git add --all")
    shutil.rmtree(directory / "problem")
    shutil.copytree(directory / "tests" / "adapting" / "problem", directory / "problem")
    return clone


@pytest.fixture(scope="module")
def model(clone: Clone) -> Path:
    """The directory of the model that the copy trained."""
    output = clone.do(f".venv/bin/python -m training train --epochs {EPOCHS} 2>&1")
    assert f"Held out, {ROWS} students: RMSE 0." in output
    return find_newest_bundle(clone.models)


@pytest.fixture(scope="module")
def events(clone: Clone, model: Path) -> Path:
    """The sample events after the one command that writes them and their answers anew."""
    clone.do(".venv/bin/python -m local.events")
    return clone.directory / "events"


@pytest.fixture(scope="module")
def stack(clone: Clone, model: Path) -> Iterator[str]:
    """The output of the copy's running stack, with a real database, S3 and SQS."""
    run = Run(clone, [".venv/bin/python", "-m", "local", "--port", str(find_port_row())])
    try:
        yield run.wait_until_ready()
    finally:
        run.interrupt()


@pytest.fixture(scope="module")
def registry(clone: Clone, model: Path, stack: str) -> Registry:
    """Run a command of the registry on a bucket in which the model was published and made current."""
    [aws_url] = re.findall("S3 and SQS, (.+)", stack)
    location = {"LocationConstraint": REGION}
    connect_aws("s3", aws_url).create_bucket(Bucket=BUCKET, CreateBucketConfiguration=location)
    given = find_registry_command(stack)

    def run(command: str) -> str:
        return clone.do(re.sub("training list .*", f"training {command} --bucket {BUCKET}", given))

    assert run("publish") == f"Published {model.name}\n"
    run(f"promote {model.name} --reason a-test")
    return run


@pytest.fixture(scope="module")
def api(clone: Clone, events: Path, stack: str, registry: Registry, emulator_path: Path) -> Iterator[Emulator]:
    """The copy's api as Lambda runs it, with the variables that the copy wrote for `sam local`."""
    text = (events / "env.json").read_text(encoding="utf-8").replace("host.docker.internal", LOOPBACK)
    for number, port in re.findall(r"^Port (\d+): (\w+)", stack, re.MULTILINE):
        text = text.replace({"the": "8001", "S3": "8002"}[port], number)
    given = json.loads(text)
    own = {**IDENTITY, "AWS_REGION": REGION, "MODEL_BUCKET": BUCKET, "PYTHONPATH": str(clone.directory)}
    emulator = Emulator(
        emulator_path,
        [str(ROOT / ".venv" / "bin" / "python"), "-m", "awslambdaric", "lambda_app.handler.api"],
        build_environment(**{**given["Parameters"], **given["ApiFunction"], **own}),
        find_free_ports(2),
        clone.directory / "build" / "emulator.log",
        clone.directory,
    )
    yield emulator
    emulator.stop()


@pytest.fixture(scope="module")
def page_url(browser: Browser, api: Emulator) -> Iterator[str]:
    """The copy's page, which the function under the emulator serves."""
    with serve_app(Gateway(api.invoke)) as url:
        yield url


def call(api: Emulator, method: str, path: str, body: object = None) -> tuple[int, Any]:
    answer = api.invoke(make_event(method, path, json.dumps(body) if body else None))
    return answer["statusCode"], json.loads(answer["body"])


def test_model_passes_the_gates_and_its_figures_are_in_units_of_the_target(registry: Registry, model: Path) -> None:
    manifest = json.loads(registry("show"))
    assert [feature["name"] for feature in manifest["features"]] == list(STUDENT)
    assert manifest["training"]["rows"] == ROWS
    held_out, ridge = manifest["metrics"]["held_out"], manifest["metrics"]["ridge"]
    assert held_out["rmse"] < ridge["rmse"] < 0.66
    assert held_out["coverage"] == pytest.approx(0.9, abs=0.04)
    assert manifest["outcomes"]["bin_edges"][:2] == [0, 0.2]
    assert manifest["outcomes"]["bin_edges"][-1] == 4
    assert sum(manifest["outcomes"]["counts"]) == ROWS
    assert manifest["parity"]["tolerance"] == pytest.approx(4 * 3e-6)
    # A start does not take longer because of the rows.
    assert (model / "interval.json").stat().st_size <= 64 * 1024


def test_model_card_speaks_of_this_table_alone(model: Path) -> None:
    card = (model / "model_card.md").read_text(encoding="utf-8")
    assert f"{ROWS} students of one college" in card
    assert "`colgpa` (grade points): Grade point average after the fall semester. In these students" in card
    assert not re.search("patient|diabet|progression|disease", card)


def test_story_of_the_monitor_is_told_in_the_words_of_this_table(clone: Clone, model: Path) -> None:
    told = clone.do(".venv/bin/python -m local.demo --quiet-days 30 --days 12 --per-day 20")
    quiet, refused, *_ = told.split("\n\n")[1:]
    assert "drift of sat" not in quiet
    assert "A school reports the score of the ACT" in refused
    assert "refuses it with 422" in refused
    assert "sat must be a whole number from 400 to 1600 (points)" in refused
    assert "Wrote build/demo/mistake.html" in told
    # With this few epochs, the prediction may drift before: its reference is of other models than the served one.
    page = (clone.directory / "build" / "demo" / "mistake.html").read_text(encoding="utf-8")
    assert re.search(r"Drift of [a-z, ]*\bsat\b", page)


def test_written_events_pass_the_copys_own_test(clone: Clone, model: Path, events: Path) -> None:
    # The copy's tests find their model trained.
    trained = find_directory(clone.directory)
    shutil.copytree(model, trained / "models" / model.name)
    (trained / "output.txt").touch()
    output = clone.do(".venv/bin/python -m pytest -n 0 -q tests/functional/test_events.py")
    assert re.search(r"^\d{2,} passed in ", output, re.MULTILINE), output
    assert json.loads(json.loads((events / "predict.json").read_bytes())["body"]) == STUDENT


def test_api_predicts_one_and_several_and_looks_them_up(api: Emulator, model: Path, stack: str) -> None:
    status, one = call(api, "POST", "/predict", STUDENT)
    assert status == 200
    assert one["model_version"] == model.name
    assert one["warnings"] == []
    assert one["interval"]["coverage"] == 0.9
    assert 0 <= one["interval"]["lower"] < one["prediction"] < one["interval"]["upper"] <= 4
    # It contradicts the relation of the table.
    odd = {**STUDENT, "hsperc": 41}
    status, batch = call(api, "POST", "/predict/batch", {"students": [{**STUDENT, "sat": 1400}, odd]})
    assert status == 200
    better, unlike = batch["predictions"]
    assert better["prediction"] > one["prediction"]
    assert unlike["interval"]["coverage"] is None
    warning = {"field": "hsperc", "message": "is more than 0.01 away from hsrank / hsize, which defines it"}
    assert warning in unlike["warnings"]

    for answer, features in ((one, STUDENT), (unlike, odd)):
        columns = ", ".join(("prediction", *STUDENT))
        rows = query(stack, f"SELECT {columns} FROM predictions WHERE request_id = '{answer['request_id']}'")
        assert rows == [[answer["prediction"], *features.values()]]
        status, record = call(api, "GET", f"/predictions/{answer['request_id']}")
        assert (status, record["features"], record["prediction"]) == (200, features, answer["prediction"])


def test_api_explains_and_refuses(api: Emulator) -> None:
    status, explanation = call(api, "POST", "/explain", STUDENT)
    assert (status, list(explanation["contributions"])) == (200, list(STUDENT))
    total = explanation["base_value"] + sum(explanation["contributions"].values())
    assert total == pytest.approx(explanation["prediction"], abs=1e-5)

    status, refusal = call(api, "POST", "/predict", {**STUDENT, "sat": 920.5, "athlete": 2})
    assert status == 422
    assert refusal["errors"] == [
        {"field": "sat", "message": "must be a whole number from 400 to 1600 (points)"},
        {"field": "athlete", "message": "must be 0 or 1"},
    ]


def test_page_predicts_records_and_leads_to_the_record(visit: Visiting, stack: str) -> None:
    page = visit()
    assert "college" in page.text("header")
    page.page.locator("#sat-slider").fill("920.4")
    page.enter(**{name: value for name, value in STUDENT.items() if name not in {"sat", "athlete"}})
    page.page.get_by_label("Yes").check()
    page.wait()
    assert page.sent == STUDENT
    answer = page.ask("explain", STUDENT)
    assert page.text("#prediction") == f"{answer['prediction']:.2f}"
    assert page.number("#sum") == pytest.approx(answer["prediction"], abs=0.00051)
    assert "Yes" in page.text("[data-name=athlete]")
    assert "such students fall in this range" in page.text("#coverage")
    request_id = page.press_record()
    record = page.open_record()
    assert record["features"] == STUDENT
    rows = query(stack, f"SELECT prediction FROM predictions WHERE request_id = '{request_id}'")
    assert rows == [[record["prediction"]]]

    page.enter(sat=920.5)
    assert page.text("#sat-message") == "Combined SAT score must be a whole number from 400 to 1600 (points)"
    assert page.page.locator("#sat-number").get_attribute("step") == "1"
    assert page.sent == STUDENT


def test_page_offers_choices_by_their_labels_and_starts_at_accepted_values(visit: Visiting) -> None:
    labels = {0: "Primary school", 1: "A degree <of> some & any kind", 2: "College", 7: "Unknown"}
    choices = [{"value": value, "label": label} for value, label in labels.items()]

    def change(model: dict[str, Any]) -> None:
        # The median of whole numbers, and that of codes, may be between two of them.
        model["features"][0].update(unit="", typical=1000.5)
        model["features"][-1].update(choices=choices, typical=0.5)

    page = visit(opened=False, viewport={"width": 390, "height": 844})
    page.change_answers("model", change)
    page.open()
    assert (page.sent["sat"], page.sent["athlete"]) == (1001, 0)
    assert page.page.locator("#field-athlete .choices label").all_inner_texts() == [*labels.values()]
    page.page.get_by_label(labels[1]).check()
    page.wait()
    assert page.sent["athlete"] == 1
    assert labels[1] in page.text("[data-name=athlete]")
    card = page.box("#case")
    assert all(label["right"] <= card["right"] for label in page.boxes("#field-athlete .choices label"))
    page.enter(sat=3)
    assert page.text("#sat-message") == "Combined SAT score must be a whole number from 400 to 1600"


@pytest.mark.parametrize(
    ("factor", "unit", "decimals"), [(0.1, "", 3), (1, "log", 2), (100_000, "USD", 0), (-10, "kg", 1)]
)
def test_page_shows_a_target_with_the_digits_of_its_scale(
    visit: Visiting, factor: float, unit: str, decimals: int
) -> None:
    def scale_model(model: dict[str, Any]) -> None:
        model["target"] = {"name": "price", "meaning": "What it costs", "unit": unit}
        outcomes = model["outcomes"]
        minimum, maximum = sorted(factor * outcomes[name] for name in ("minimum", "maximum"))
        edges = sorted(factor * edge for edge in outcomes["bin_edges"])
        outcomes.update(minimum=minimum, maximum=maximum, mean=factor * outcomes["mean"], bin_edges=edges)

    def scale_answer(answer: dict[str, Any]) -> None:
        lower, upper = sorted(factor * answer["interval"][name] for name in ("lower", "upper"))
        answer["interval"].update(lower=lower, upper=upper)
        answer.update({name: factor * answer[name] for name in ("prediction", "base_value")})
        answer["contributions"] = {name: factor * push for name, push in answer["contributions"].items()}

    page = visit(opened=False)
    page.change_answers("model", scale_model)
    page.change_answers("explain", scale_answer)
    page.open()
    expected = factor * page.ask("explain", page.sent)["prediction"]
    assert page.number("#prediction") == pytest.approx(expected, abs=0.51 * 10**-decimals)
    assert page.number("#prediction") != pytest.approx(expected, rel=1e-12)
    assert page.number("#sum") == pytest.approx(expected, abs=0.051 * 10**-decimals)
    assert page.text("#pushes-title") == (f"Push ({unit})" if unit else "Push")
    assert page.text("#target").startswith(f"What it costs ({unit}); " if unit else "What it costs; ")
    drawing, band = page.box("#outcomes"), page.box("#outcomes .band")
    assert drawing["x"] <= band["x"] < band["right"] <= drawing["right"]
    ticks = page.boxes("#outcomes text[text-anchor=middle].tick")
    assert 4 <= len(ticks) <= 16
    assert all(one["right"] < other["x"] for one, other in itertools.pairwise(ticks[:-1]))


def test_no_other_file_has_changed(clone: Clone, page_url: str) -> None:
    changed = clone.do("git ls-files --modified --others --exclude-standard").split()
    assert {path.partition("/")[0] for path in changed} == {"problem", "events"}
