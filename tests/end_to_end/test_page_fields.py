"""The inputs of the page: what they say, what they send, and where warnings and refusals stand."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.browsing import FIRST_PATIENT, TYPED_FIRST_PATIENT, Visit

Visiting = Callable[..., Visit]


def add_warnings(answer: dict[str, Any]) -> None:
    answer["warnings"] += [
        {"field": "s1", "message": "is below s2 + s3"},
        {"field": "features", "message": "are together unlike what training saw"},
    ]


def test_every_field_says_what_it_is_and_what_it_takes(visit: Visiting) -> None:
    page = visit()
    for feature in page.ask("model")["features"]:
        text = page.text(f"#field-{feature['name']}")
        if feature["name"] == "s5":
            assert all(words in text for words in ("Serum triglycerides", "mg/dL", "7.4 to 8103", "typically 101.5"))
            assert "ln" not in text.lower()
            continue
        assert feature["meaning"].split(",")[0] in text
        if feature["name"] == "sex":
            assert "typically" not in text
            continue
        assert f"typically {feature['typical']:.5g}" in text
        assert feature["unit"] in text
        assert f"{feature['minimum']:g} to {feature['maximum']:g}" in text


def test_sliders_span_what_the_study_had_and_numbers_all_that_is_accepted(visit: Visiting) -> None:
    page = visit()
    for feature in page.ask("model")["features"]:
        name = feature["name"]
        if name == "sex":
            continue
        low, high = feature["training_minimum"], feature["training_maximum"]
        low, high = (26, 449) if name == "s5" else (low, high)
        slider = page.page.locator(f"#{name}-slider")
        assert (float(str(slider.get_attribute("min"))), float(str(slider.get_attribute("max")))) == (low, high)
        for key, end in (("Home", low), ("End", high)):
            slider.press(key)
            page.wait()
            assert page.read_inputs()[name] == end
            # The ends were seen by training. That it contradicts the others is another matter.
            assert "outside" not in page.text(f"#{name}-message")
    page.enter(bmi=60)
    slider = page.page.locator("#bmi-slider")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == ("42.2", "60 kg/m²")
    assert page.sent["bmi"] == 60


def test_number_and_slider_agree(visit: Visiting) -> None:
    page = visit()
    typical = page.read_inputs()
    page.enter(s1=240, s5=164)
    assert page.page.locator("#s1-slider").input_value() == "240"
    assert page.page.locator("#s5-slider").input_value() == "164"
    page.page.locator("#age-slider").fill("71")
    page.wait()
    assert page.read_inputs()["age"] == 71
    page.page.get_by_role("button", name="Back to typical values").click()
    page.wait()
    assert page.read_inputs() == typical


def test_triglycerides_are_typed_as_measured_and_sent_as_their_logarithm(visit: Visiting) -> None:
    page = visit()
    page.enter(**TYPED_FIRST_PATIENT)
    assert page.sent == FIRST_PATIENT
    assert "129 mg/dL" in page.text("[data-name=s5]")
    assert page.page.locator("#s5-slider").get_attribute("aria-valuetext") == "129 mg/dL"
    for typed, logarithm in ((7.4, 2.0015), (8103, 9)):
        page.enter(s5=typed)
        assert page.sent["s5"] == logarithm
        assert page.page.locator("#s5-number").get_attribute("aria-invalid") == "false"
    asked = len(page.requests)
    for typed in (7.3, 8103.1):
        page.enter(s5=typed)
        assert page.text("#s5-message") == "Serum triglycerides must be a number from 7.4 to 8103 (mg/dL)"
    assert len(page.requests) == asked


def test_every_whole_number_of_triglycerides_comes_back_from_its_logarithm(visit: Visiting) -> None:
    changed = """async feature => {
      const { createMeasurement } = await import("./measurements.js");
      const { toSent, describe } = createMeasurement(feature);
      return [...Array(8104).keys()].slice(8).filter(shown => describe(toSent(shown)) !== `${shown} mg/dL`);
    }"""
    page = visit()
    [feature] = [feature for feature in page.ask("model")["features"] if feature["name"] == "s5"]
    assert page.page.evaluate(changed, feature) == []


def test_value_outside_training_is_warned_of_beside_its_field(visit: Visiting) -> None:
    page = visit()
    page.enter(bmi=60, s5=500)
    assert page.text("#bmi-message") == "Body mass index is outside what training saw: 18 to 42.2 (kg/m²)"
    assert page.text("#s5-message") == "Serum triglycerides is outside what training saw: 26 to 449 (mg/dL)"
    assert "bmi-message" in str(page.page.locator("#bmi-number").get_attribute("aria-describedby"))
    page.enter(bmi=30)
    assert not page.page.locator("#bmi-message").is_visible()
    assert page.page.locator("#s5-message").is_visible()


def test_no_warning_is_lost(visit: Visiting) -> None:
    """Two on one field, and one that belongs to none."""
    page = visit(opened=False)
    page.change_answers("explain", add_warnings)
    page.open()
    below = "Total serum cholesterol is below Low-density lipoproteins (LDL) + High-density lipoproteins (HDL)"
    together = "The features of this patient are together unlike what training saw."
    assert page.text("#s1-message") == below
    assert together in page.text("#caution")
    # Of itself it is outside alone, and contradicts none.
    page.enter(s1=90, s2=50, s3=35, s4=2.6)
    outside = "Total serum cholesterol is outside what training saw: 97 to 301 (mg/dL)"
    assert page.text("#s1-message") == f"{outside}\n{below}"
    page.page.wait_for_function("() => document.getElementById('status').textContent.includes('outside')")
    assert f"{outside}. {below}. {together}" in page.text("#status")
    page.page.unroute("**/explain")
    page.enter(s1=157, s2=93.2, s3=38, s4=4)
    assert not page.page.locator("#caution").is_visible()
    assert not page.page.locator("#s1-message").is_visible()


@pytest.mark.parametrize(
    ("feature", "typed", "message"),
    [
        (0, {"age": 150}, "Age must be a number from 0 to 120 (years)"),
        (8, {"s5": 9000}, "Serum triglycerides must be a number from 7.4 to 8103 (mg/dL)"),
    ],
)
def test_field_that_the_service_refuses_says_why(
    visit: Visiting, feature: int, typed: dict[str, float], message: str
) -> None:
    """As when a release with narrower limits came while the page was open."""
    page = visit(opened=False)
    page.change_answers("model", lambda model: model["features"][feature].update(maximum=200))
    page.open()
    page.enter(**typed)
    [name] = typed
    page.page.locator(f"#{name}-message").wait_for()
    assert page.text(f"#{name}-message") == message
    assert page.text("#standing") == "Answer to earlier values"
    page.enter(**{name: 60})
    assert not page.page.locator(f"#{name}-message").is_visible()


def test_refusal_that_belongs_to_no_field_is_said_all_the_same(visit: Visiting) -> None:
    """As when a release with one measurement more came while the page was open."""
    page = visit(opened=False)
    page.change_answers("model", lambda model: model["features"].pop())
    page.page.goto(page.url)
    page.page.locator("#problem").wait_for()
    assert "The input was refused. Please reload the page. s6 is missing" in page.text("#problem")
