"""The page in a real browser, before the real service: it shows what the API answers."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route

from problem.table import TABLE
from tests.bundles import Registry
from tests.end_to_end.browsing import FIRST_PATIENT, TYPED_FIRST_PATIENT, Visit, Visiting, parse_number, serve


def read_pushes(visit: Visit) -> dict[str, float]:
    rows = visit.page.locator("#pushes tr").all()
    return {str(row.get_attribute("data-name")): parse_number(row.locator(".amount").inner_text()) for row in rows}


def test_starts_with_a_typical_patient_and_shows_what_the_api_answers(
    visit: Visiting, query: Callable[..., list[Any]]
) -> None:
    [[before]] = query("SELECT count(*) FROM predictions")
    page = visit()
    model = page.ask("model")
    assert page.sent == pytest.approx({feature["name"]: feature["typical"] for feature in model["features"]}, abs=5e-5)
    answer = page.ask("explain", page.sent)
    assert page.text("#prediction") == f"{answer['prediction']:.0f}"
    assert page.text("#interval") == f"{answer['interval']['lower']:.0f} to {answer['interval']['upper']:.0f}"
    assert page.text("#coverage") == "9 of 10 such patients fall in this range"
    outcomes = model["outcomes"]
    seen = f"{outcomes['minimum']:g} to {outcomes['maximum']:g}"
    assert page.text("#target") == f"{TABLE.target.label}; {seen} in training."
    assert page.text("#standing") == "Preview — not recorded"
    assert TABLE.notice in page.text("main")
    assert answer["model_version"] in page.text("footer")
    assert f"{sum(model['outcomes']['counts'])} patients" in page.text("#outcomes-caption")
    assert not page.page.locator(".message:visible").all()
    assert query("SELECT count(*) FROM predictions") == [[before]]


def test_the_answer_follows_a_slider_with_one_request_when_the_hand_rests(visit: Visiting) -> None:
    page = visit(opened=False)
    page.page.clock.install()
    page.open()
    page.page.clock.pause_at(page.page.evaluate("() => Date.now() + 1000"))
    asked = page.count_requests("explain")
    page.page.locator("#bmi-slider").focus()
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
    moved = page.page.locator("#bmi-number").input_value()
    assert float(moved) > 27
    assert page.page.locator("#bmi-slider").get_attribute("aria-valuetext") == f"{moved} kg/m²"
    assert page.count_requests("explain") == asked
    page.page.clock.run_for(200)
    page.wait()
    assert page.count_requests("explain") == asked + 1
    assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"
    # While the slider keeps moving, there are answers all the same.
    for _ in range(10):
        page.page.keyboard.press("ArrowRight")
        page.page.clock.run_for(100)
    page.wait()
    assert asked + 2 <= page.count_requests("explain") <= asked + 4


def test_answer_that_was_overtaken_is_dropped(visit: Visiting) -> None:
    page = visit()
    held: list[Route] = []
    page.page.route("**/explain", lambda route: route.continue_() if held else held.append(route))
    with page.page.expect_request("**/explain"):
        page.page.locator("#bmi-number").fill("60")
    with page.page.expect_event("requestfailed") as failed:
        page.enter(bmi=20)
    assert json.loads(failed.value.post_data or "{}")["bmi"] == 60
    assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"
    assert page.text("#standing") == "Preview — not recorded"
    assert not page.page.locator("#problem").is_visible()


def test_pushes_lead_from_the_average_to_the_prediction_and_have_bars_of_their_length(visit: Visiting) -> None:
    page = visit()
    page.enter(**TYPED_FIRST_PATIENT)
    answer = page.ask("explain", FIRST_PATIENT)
    pushes = read_pushes(page)
    assert pushes == pytest.approx(answer["contributions"], abs=0.051)
    assert [abs(push) for push in pushes.values()] == sorted((abs(push) for push in pushes.values()), reverse=True)
    assert page.number("#base") == pytest.approx(answer["base_value"], abs=0.051)
    assert page.number("#sum") == pytest.approx(answer["prediction"], abs=0.051)
    # Each of the eleven numbers is rounded.
    assert page.number("#base") + sum(pushes.values()) == pytest.approx(page.number("#sum"), abs=0.6)
    assert "32.1 kg/m²" in page.text("[data-name=bmi]")
    assert "Code 2" in page.text("[data-name=sex]")
    largest = max(abs(push) for push in pushes.values())
    assert largest > 0.1 * (346 - 25)
    for name, push in answer["contributions"].items():
        track = page.box(f"[data-name={name}] .track")
        bar = page.box(f"[data-name={name}] .track span")
        assert bar["width"] == pytest.approx(track["width"] / 2 * abs(push) / largest, abs=1)
        assert bar["right" if push < 0 else "x"] == pytest.approx(track["middle"], abs=1)


@pytest.mark.parametrize("values", [TYPED_FIRST_PATIENT, {**FIRST_PATIENT, "bmi": 80, "s5": 8000}])
def test_interval_and_outcomes_are_drawn_to_the_scale_of_the_axes(visit: Visiting, values: dict[str, float]) -> None:
    page = visit()
    page.enter(**values)
    answer = page.ask("explain", page.sent)
    selector = "#outcomes text[text-anchor=middle].tick"
    ticks = zip(page.page.locator(selector).all_text_contents(), page.boxes(selector), strict=True)
    (low, low_x), *_, (high, high_x) = sorted((float(text), box["middle"]) for text, box in ticks if text.isdigit())

    def locate(value: float) -> float:
        return low_x + (value - low) / (high - low) * (high_x - low_x)

    band = page.box("#outcomes .band")
    assert band["x"] == pytest.approx(locate(answer["interval"]["lower"]), abs=1.5)
    assert band["right"] == pytest.approx(locate(answer["interval"]["upper"]), abs=1.5)
    assert page.box("#outcomes rect.needle")["middle"] == pytest.approx(locate(answer["prediction"]), abs=1.5)
    drawing = page.box("#outcomes")
    assert drawing["x"] <= band["x"] < band["right"] <= drawing["right"]
    counts = page.ask("model")["outcomes"]["counts"]
    heights = [bar["height"] for bar in page.boxes("#outcomes .bin")]
    assert heights == pytest.approx([count * max(heights) / max(counts) for count in counts], abs=0.5)


def test_model_from_before_there_was_a_page_is_shown_without_what_training_saw(
    visit: Visiting, environment: dict[str, str], registry: Registry
) -> None:
    def age(manifest: dict[str, Any]) -> None:
        del manifest["outcomes"]
        for feature in manifest["features"]:
            del feature["median"]

    registry.rewrite_manifest(age)
    with serve(environment, MODEL_BUCKET=registry.bucket) as url:
        page = visit(url)
        assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"
        assert page.page.locator("#outcomes .bin").count() == 0
        assert page.box("#outcomes .band")["width"] > 0
        assert page.text("#age-limits") == "0 to 120"
        assert "typically" not in page.text("#fields")
        assert page.text("#target") == f"{TABLE.target.label}."


@pytest.mark.parametrize(
    ("coverage", "claim"),
    [
        (0.9, "9 of 10 such patients fall in this range"),
        (0.95, "19 of 20 such patients fall in this range"),
        (0.93, "93 % of such patients fall in this range"),
        (0.925, "92.5 % of such patients fall in this range"),
        (None, "Nothing is promised of this range"),
    ],
)
def test_range_is_claimed_as_often_as_it_holds(visit: Visiting, coverage: float | None, claim: str) -> None:
    page = visit(opened=False, viewport={"width": 390, "height": 844})
    page.change_answers("explain", lambda answer: answer["interval"].update(coverage=coverage))
    page.open()
    assert page.text("#coverage") == claim
    assert page.page.locator("#caution").is_visible() == (coverage is None)
    assert page.page.locator("#summary-caution").is_visible() == (coverage is None)
    if coverage is None:
        assert "This patient is unlike those in training" in page.text("#caution")


@pytest.mark.parametrize(
    ("candidate", "told"),
    [
        (None, ""),
        (
            {"mode": "canary", "share": 0.05, "fault": None},
            "The candidate v2 is tried in a canary: it makes 5 % of the recorded predictions.",
        ),
        (
            {"mode": "shadow", "share": 0.29, "fault": "it is slow"},
            "The candidate v2 is tried as a shadow: for 29 % of the recorded predictions, its own is stored beside the "
            "answer. At present it is not asked.",
        ),
    ],
)
def test_candidate_that_is_tried_is_told(visit: Visiting, candidate: dict[str, Any] | None, told: str) -> None:
    page = visit(opened=False)
    shown = candidate and {"model_version": "v2", **candidate}
    page.change_answers("model", lambda model: model.update(candidate=shown))
    page.open()
    assert page.text("#trial") == told


def test_prediction_that_is_held_at_a_bound_is_explained(visit: Visiting) -> None:
    page = visit(opened=False)
    page.change_answers("explain", lambda answer: answer.update(prediction=0))
    page.open()
    held = page.number("#bound td")
    assert page.number("#base") + sum(read_pushes(page).values()) + held == pytest.approx(0, abs=0.6)
    page.page.unroute("**/explain")
    page.enter(bmi=30)
    assert not page.page.locator("#bound").is_visible()


@pytest.mark.parametrize("ends", [(0, 0), (0, 3), (0, 60), (30, 120), (300, 398), (340, 340)])
@pytest.mark.parametrize("width", [320, 1280])
def test_no_number_of_the_drawing_covers_another(visit: Visiting, ends: tuple[float, float], width: int) -> None:
    page = visit(opened=False, viewport={"width": width, "height": 800})
    page.change_answers("explain", lambda answer: answer["interval"].update(lower=ends[0], upper=ends[1]))
    page.open()
    boxes = page.boxes("#outcomes text")
    assert len(boxes) > 8
    for one, other in itertools.combinations(boxes, 2):
        beside = one["right"] <= other["x"] or other["right"] <= one["x"]
        above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert beside or above, f"{one} covers {other}"
