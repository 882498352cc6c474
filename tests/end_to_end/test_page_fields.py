"""The inputs of the page: what they say, what they send, and where warnings stand."""

from typing import Any

from tests.end_to_end.browsing import FIRST_PATIENT, TYPED_FIRST_PATIENT, Visiting


def add_warnings(answer: dict[str, Any]) -> None:
    answer["warnings"] += [
        {"field": "s1", "message": "is below s2 + s3"},
        {"field": "features", "message": "are together unlike what training saw"},
    ]


def test_every_field_says_what_it_is_and_its_slider_spans_what_the_study_had(visit: Visiting) -> None:
    page = visit()
    for feature in page.ask("model")["features"]:
        name = feature["name"]
        text = page.text(f"#field-{name}")
        if name == "sex":
            assert "Sex" in text
            assert "typically" not in text
            continue
        low, high = feature["training_minimum"], feature["training_maximum"]
        if name == "s5":
            assert all(words in text for words in ("Serum triglycerides", "mg/dL", "7.4 to 8103", "typically 101.5"))
            assert "ln" not in text.lower()
            low, high = 26, 449
        else:
            assert feature["meaning"].split(",")[0] in text
            assert f"typically {feature['typical']:.5g}" in text
            assert feature["unit"] in text
            assert f"{feature['minimum']:g} to {feature['maximum']:g}" in text
        slider, number = page.page.locator(f"#{name}-slider"), page.page.locator(f"#{name}-number")
        assert (float(str(slider.get_attribute("min"))), float(str(slider.get_attribute("max")))) == (low, high)
        for key, end in (("Home", low), ("End", high)):
            slider.press(key)
            page.wait()
            assert float(number.input_value()) == end
            # The ends were seen by training. That it contradicts the others is another matter.
            assert "outside" not in page.text(f"#{name}-message")


def test_number_and_slider_agree(visit: Visiting) -> None:
    page = visit()
    typical = page.sent
    page.enter(s1=240, s5=164)
    assert page.page.locator("#s1-slider").input_value() == "240"
    assert page.page.locator("#s5-slider").input_value() == "164"
    page.page.locator("#age-slider").fill("71")
    page.wait()
    assert page.page.locator("#age-number").input_value() == "71"
    assert page.sent["age"] == 71
    # The slider ends where training did, and the number does not.
    page.enter(bmi=60)
    slider = page.page.locator("#bmi-slider")
    assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == ("42.2", "60 kg/m²")
    assert page.sent["bmi"] == 60
    page.page.get_by_role("button", name="Back to typical values").click()
    page.wait()
    assert page.sent == typical


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
    for refused in (7.3, 8103.1):
        page.enter(s5=refused)
        assert page.text("#s5-message") == "Serum triglycerides must be a number from 7.4 to 8103 (mg/dL)"
    assert len(page.requests) == asked
    changed = """async feature => {
      const { createMeasurement } = await import("./measurements.js");
      const { toSent, describe } = createMeasurement(feature);
      return [...Array(8104).keys()].slice(8).filter(shown => describe(toSent(shown)) !== `${shown} mg/dL`);
    }"""
    [feature] = [feature for feature in page.ask("model")["features"] if feature["name"] == "s5"]
    assert page.page.evaluate(changed, feature) == []


def test_warnings_stand_beside_their_fields_and_none_is_lost(visit: Visiting) -> None:
    page = visit()
    page.enter(bmi=60, s5=500)
    assert page.text("#bmi-message") == "Body mass index is outside what training saw: 18 to 42.2 (kg/m²)"
    assert page.text("#s5-message") == "Serum triglycerides is outside what training saw: 26 to 449 (mg/dL)"
    assert "bmi-message" in str(page.page.locator("#bmi-number").get_attribute("aria-describedby"))
    page.enter(bmi=30)
    assert not page.page.locator("#bmi-message").is_visible()
    assert page.page.locator("#s5-message").is_visible()
    # Two on one field, and one that belongs to none.
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
