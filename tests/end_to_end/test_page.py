"""The page in a real browser, before the real service: what it shows is what the API says, and records are rows."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from lambda_app.features import FEATURES
from local.ports import LOOPBACK
from tests.bundles import Registry, copy_bundle
from tests.end_to_end.browsing import OTHER_NAME, Visit, parse_number, serve
from training.registry import promote_version, publish_bundle

Visiting = Callable[..., Visit]
FIRST_PATIENT = {feature.name: feature.example for feature in FEATURES}


def read_pushes(visit: Visit) -> dict[str, float]:
    """The table's pushes by name, in its order."""
    rows = visit.page.locator("#pushes tr").all()
    return {str(row.get_attribute("data-name")): parse_number(row.locator(".amount").inner_text()) for row in rows}


def test_starts_with_a_typical_patient_and_shows_what_the_api_answers(
    visit: Visiting, query: Callable[..., list[Any]]
) -> None:
    [[before]] = query("SELECT count(*) FROM predictions")
    page = visit()
    model = page.ask("model")
    assert page.read_inputs() == {feature["name"]: feature["typical"] for feature in model["features"]}
    answer = page.ask("explain", page.read_inputs())
    assert page.text("#prediction") == f"{answer['prediction']:.0f}"
    assert page.text("#interval") == f"{answer['interval']['lower']:.0f} to {answer['interval']['upper']:.0f}"
    assert "90 %" in page.text("#coverage")
    assert page.text("#standing") == "Preview — not recorded"
    assert "Not medical advice" in page.text("main")
    assert answer["model_version"] in page.text("footer")
    assert f"{sum(model['outcomes']['counts'])} patients" in page.text("#outcomes-caption")
    assert not page.page.locator(".message:visible").all()
    assert query("SELECT count(*) FROM predictions") == [[before]]


def test_every_field_says_what_it_is_and_what_it_takes(visit: Visiting) -> None:
    page = visit()
    for feature in page.ask("model")["features"]:
        text = page.text(f"#field-{feature['name']}")
        assert feature["meaning"].split(",")[0] in text
        assert f"typically {feature['typical']:.5g}" in text
        if feature["name"] != "sex":
            assert feature["unit"] in text
            assert f"{feature['minimum']:g} to {feature['maximum']:g}" in text


def test_the_answer_follows_a_slider_with_one_request_when_the_hand_rests(visit: Visiting) -> None:
    page = visit(opened=False)
    page.page.clock.install()
    page.open()
    page.page.clock.pause_at(page.page.evaluate("() => Date.now() + 1000"))
    asked = page.count_requests("explain")
    page.page.locator("#bmi-slider").focus()
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
    assert page.page.locator("#bmi").input_value() == "27.7"
    assert page.page.locator("#bmi-slider").get_attribute("aria-valuetext") == "27.7 kg/m²"
    assert page.count_requests("explain") == asked
    page.page.clock.run_for(200)
    page.wait()
    assert page.count_requests("explain") == asked + 1
    assert page.text("#prediction") == f"{page.ask('explain', page.read_inputs())['prediction']:.0f}"
    # A hand that never rests gets answers all the same.
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
        page.page.locator("#bmi").fill("60")
    with page.page.expect_event("requestfailed") as failed:
        page.enter(bmi=20)
    assert json.loads(failed.value.post_data or "{}")["bmi"] == 60
    assert page.text("#prediction") == f"{page.ask('explain', page.read_inputs())['prediction']:.0f}"
    assert page.text("#standing") == "Preview — not recorded"
    assert not page.page.locator("#problem").is_visible()


def test_number_and_slider_agree(visit: Visiting) -> None:
    page = visit()
    page.enter(s1=240, s5=5.1)
    assert page.page.locator("#s1-slider").input_value() == "240"
    assert page.page.locator("#s5-slider").input_value() == "5.1"
    assert "164 mg/dL" in page.text("#s5-hint")
    page.page.locator("#age-slider").fill("71")
    page.wait()
    assert page.read_inputs()["age"] == 71
    page.page.get_by_role("button", name="Back to typical values").click()
    page.wait()
    assert page.read_inputs() == {feature["name"]: feature["typical"] for feature in page.ask("model")["features"]}


def test_pushes_lead_from_the_average_to_the_prediction(visit: Visiting) -> None:
    page = visit()
    page.enter(**FIRST_PATIENT)
    answer = page.ask("explain", FIRST_PATIENT)
    pushes = read_pushes(page)
    assert pushes == pytest.approx(answer["contributions"], abs=0.051)
    assert [abs(push) for push in pushes.values()] == sorted((abs(push) for push in pushes.values()), reverse=True)
    assert page.number("#base") == pytest.approx(answer["base_value"], abs=0.051)
    assert page.number("#sum") == pytest.approx(answer["prediction"], abs=0.051)
    # Each of the eleven numbers is rounded.
    assert page.number("#base") + sum(pushes.values()) == pytest.approx(page.number("#sum"), abs=0.6)
    assert "32.1 kg/m²" in page.text("[data-name=bmi]")
    assert "code 2" in page.text("[data-name=sex]")


def test_bars_have_the_length_and_the_side_of_their_push(visit: Visiting) -> None:
    page = visit()
    page.enter(**FIRST_PATIENT)
    contributions = page.ask("explain", FIRST_PATIENT)["contributions"]
    largest = max(abs(push) for push in contributions.values())
    assert largest > 30
    for name, push in contributions.items():
        track = page.box(f"[data-name={name}] .track")
        bar = page.box(f"[data-name={name}] .track span")
        assert bar["width"] == pytest.approx(track["width"] / 2 * abs(push) / largest, abs=1)
        assert bar["right" if push < 0 else "x"] == pytest.approx(track["middle"], abs=1)


@pytest.mark.parametrize("values", [FIRST_PATIENT, {**FIRST_PATIENT, "bmi": 80, "s5": 9}])
def test_interval_is_drawn_where_its_values_are_on_the_axis(visit: Visiting, values: dict[str, float]) -> None:
    page = visit()
    page.enter(**values)
    answer = page.ask("explain", values)
    ticks = {
        float(tick.inner_html()): page.box(f"#outcomes text[text-anchor=middle].tick >> nth={index}")["middle"]
        for index, tick in enumerate(page.page.locator("#outcomes text[text-anchor=middle].tick").all())
        if tick.inner_html().isdigit()
    }
    (low, low_x), *_, (high, high_x) = sorted(ticks.items())

    def locate(value: float) -> float:
        return low_x + (value - low) / (high - low) * (high_x - low_x)

    band = page.box("#outcomes .band")
    assert band["x"] == pytest.approx(locate(answer["interval"]["lower"]), abs=1.5)
    assert band["right"] == pytest.approx(locate(answer["interval"]["upper"]), abs=1.5)
    assert page.box("#outcomes rect.needle")["middle"] == pytest.approx(locate(answer["prediction"]), abs=1.5)
    drawing = page.box("#outcomes")
    assert drawing["x"] <= band["x"] < band["right"] <= drawing["right"]


def test_histogram_has_a_bar_for_every_bin(visit: Visiting) -> None:
    page = visit()
    counts = page.ask("model")["outcomes"]["counts"]
    bars = [page.box(f"#outcomes .bin >> nth={index}") for index in range(len(counts))]
    assert page.page.locator("#outcomes .bin").count() == len(counts)
    per_patient = max(bar["height"] for bar in bars) / max(counts)
    assert [bar["height"] for bar in bars] == pytest.approx([count * per_patient for count in counts], abs=0.5)


def test_value_outside_training_is_warned_of_beside_its_field(visit: Visiting) -> None:
    page = visit()
    page.enter(bmi=60)
    assert page.text("#bmi-message") == "Body mass index is outside what training saw: 18 to 42.2 (kg/m²)"
    assert "bmi-message" in str(page.page.locator("#bmi").get_attribute("aria-describedby"))
    assert page.page.locator("#caution").is_visible()
    page.enter(bmi=30)
    assert not page.page.locator("#bmi-message").is_visible()
    assert not page.page.locator("#caution").is_visible()


def test_record_is_a_row_with_the_id_that_is_shown_and_copied(visit: Visiting, query: Callable[..., list[Any]]) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.enter(**FIRST_PATIENT)
    page.page.get_by_role("button", name="Record this prediction").click()
    page.page.locator("#recorded").wait_for()
    request_id = page.text("#recorded-id")
    columns = ", ".join(FIRST_PATIENT)
    [[prediction, *features]] = query(
        f"SELECT prediction, {columns} FROM predictions WHERE request_id = :id", id=request_id
    )
    assert dict(zip(FIRST_PATIENT, features, strict=True)) == FIRST_PATIENT
    assert page.text("#recorded-prediction").startswith(f"{prediction:.0f} (")
    assert page.text("#recorded-where") == "In the database"
    assert page.text("#recorded-time")
    expect(page.page.locator("#standing")).to_have_text("Recorded")
    page.page.get_by_role("button", name="Copy id").click()
    page.page.get_by_role("button", name="Copied").wait_for()
    assert page.page.evaluate("() => navigator.clipboard.readText()") == request_id
    assert not page.page.locator("#recorded-outdated").is_visible()
    page.enter(bmi=25)
    assert page.page.locator("#recorded-outdated").is_visible()
    assert page.text("#standing") == "Preview — not recorded"
    page.enter(bmi=FIRST_PATIENT["bmi"])
    assert not page.page.locator("#recorded-outdated").is_visible()


def test_id_can_be_taken_by_hand_where_the_clipboard_is_closed(visit: Visiting, page_url: str) -> None:
    # To browsers plain HTTP is secure on the loopback address alone.
    page = visit(page_url.replace(LOOPBACK, OTHER_NAME))
    page.page.get_by_role("button", name="Record this prediction").click()
    page.page.get_by_role("button", name="Copy id").click()
    page.page.get_by_role("button", name="Selected").wait_for()
    assert page.page.evaluate("() => getSelection().toString()") == page.text("#recorded-id")


def test_version_that_is_promoted_meanwhile_takes_over(
    visit: Visiting, environment: dict[str, str], registry: Registry, bundle: Any, tmp_path: Any
) -> None:
    with serve(environment, MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS="1") as url:
        page = visit(url)
        version = "20990101T000000Z-00000000"
        publish_bundle(registry.client, registry.bucket, copy_bundle(bundle, tmp_path, version))
        promote_version(registry.client, registry.bucket, version)
        # Not before the service looks for another.
        page.page.wait_for_timeout(1100)
        page.enter(bmi=30)
        assert version in page.text("footer")
        assert page.count_requests("model") == 2


def test_model_from_before_there_was_a_page_is_shown_without_the_study(
    visit: Visiting, environment: dict[str, str], registry: Registry
) -> None:
    def age(manifest: dict[str, Any]) -> None:
        del manifest["outcomes"]
        for feature in manifest["features"]:
            del feature["median"]

    registry.rewrite_manifest(age)
    with serve(environment, MODEL_BUCKET=registry.bucket) as url:
        page = visit(url)
        assert page.text("#prediction") == f"{page.ask('explain', page.read_inputs())['prediction']:.0f}"
        assert page.page.locator("#outcomes .bin").count() == 0
        assert page.box("#outcomes .band")["width"] > 0
        assert page.text("#age-hint") == "0 to 120"


def test_documentation_beside_it_is_drawn_and_tries_the_api(visit: Visiting) -> None:
    page = visit()
    page.page.get_by_role("link", name="API documentation").click()
    page.page.locator("#operations-explanation-explain").click()
    page.page.get_by_role("button", name="Try it out").click()
    page.page.get_by_role("button", name="Execute").click()
    answer = page.page.locator(".live-responses-table .response-col_description code").first
    answer.wait_for()
    assert f"{page.ask('explain', FIRST_PATIENT)['prediction']:.6f}"[:-1] in answer.inner_text()
