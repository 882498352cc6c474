"""The page when a value is refused or something is away: it says so, keeps the last answer, and recovers."""

import contextlib
from typing import Any

import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from playwright.sync_api import expect

from tests.bundles import Registry
from tests.end_to_end.browsing import Visit, Visiting, serve

EARLIER = "Answer to earlier values"
PHONE = {"width": 360, "height": 740}


def measure_opacity(visit: Visit, selector: str) -> float:
    return float(visit.page.locator(selector).evaluate("element => getComputedStyle(element).opacity"))


def check_refusal(page: Visit, name: str, message: str) -> None:
    """Check that the value is refused beside its field, and that the button says so and leads to it."""
    expect(page.page.locator(f"#{name}-message")).to_have_text(message)
    expect(page.page.locator(f"#{name}-number")).to_have_attribute("aria-invalid", "true")
    asked = len(page.requests)
    expect(page.record).to_have_attribute("aria-disabled", "true")
    expect(page.record).to_have_text("Record this prediction")
    expect(page.record).to_have_accessible_description("A value cannot be used; its field says why.")
    expect(page.page.locator("#refusal")).to_be_visible()
    page.record.click(force=True)
    assert page.page.evaluate("() => document.activeElement.id") == f"{name}-number"
    assert len(page.requests) == asked


def check_no_refusal(page: Visit, name: str) -> None:
    expect(page.page.locator(f"#{name}-message")).to_be_hidden()
    expect(page.page.locator(f"#{name}-number")).to_have_attribute("aria-invalid", "false")
    expect(page.record).to_have_attribute("aria-disabled", "false")
    expect(page.record).to_have_accessible_description("")
    expect(page.page.locator("#refusal")).to_be_hidden()


@pytest.mark.parametrize("value", ["7", "80.1", ""])
def test_impossible_value_is_neither_sent_nor_recorded(visit: Visiting, value: str) -> None:
    page = visit(viewport=PHONE)
    check_no_refusal(page, "bmi")
    asked = len(page.requests)
    page.enter(bmi=value)
    # Longer than the page waits before it asks.
    page.page.wait_for_timeout(300)
    assert len(page.requests) == asked
    check_refusal(page, "bmi", "Body mass index must be a number from 10 to 80 (kg/m²)")
    assert page.text("#standing") == EARLIER
    assert EARLIER in page.text("#summary")
    assert measure_opacity(page, ".headline") < 0.5
    page.enter(bmi=31)
    check_no_refusal(page, "bmi")
    assert page.text("#standing") == "Preview — not recorded"
    assert EARLIER not in page.text("#summary")
    assert measure_opacity(page, ".headline") == 1


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
    # As when a release with narrower limits came while the page was open.
    page = visit(opened=False)
    page.change_answers("model", lambda model: model["features"][feature].update(maximum=200))
    page.open()
    page.enter(**typed)
    [name] = typed
    check_refusal(page, name, message)
    assert page.text("#standing") == EARLIER
    page.enter(**{name: 60})
    check_no_refusal(page, name)


def test_refusal_that_belongs_to_no_field_is_said_all_the_same(visit: Visiting) -> None:
    # As when a release with one measurement more came while the page was open.
    page = visit(opened=False)
    page.change_answers("model", lambda model: model["features"].pop())
    page.page.goto(page.url)
    page.page.locator("#problem").wait_for()
    assert "The input was refused. Please reload the page. s6 is missing" in page.text("#problem")


def test_answer_that_is_late_is_to_earlier_values_until_then(visit: Visiting) -> None:
    page = visit(viewport=PHONE)
    for selector in ("#age-slider", "#typical"):
        held = page.hold_requests("explain")
        page.page.locator(selector).click(position={"x": 9, "y": 9})
        expect(page.page.locator("#summary-earlier")).to_be_visible()
        assert page.text("#standing") == EARLIER
        for route in held:
            route.continue_()
        page.page.unroute("**/explain")
        expect(page.page.locator("#summary-earlier")).to_be_hidden()
        assert page.text("#standing") == "Preview — not recorded"


def test_network_that_is_away_is_said_and_the_last_answer_stays(visit: Visiting) -> None:
    page = visit(opened=False, viewport=PHONE)
    page.page.clock.install()
    page.open()
    prediction = page.text("#prediction")
    page.context.set_offline(True)
    page.enter(bmi=40)
    page.page.locator("#problem").wait_for()
    assert "The service cannot be reached." in page.text("#problem")
    assert "tries again in 5 seconds" in page.text("#problem")
    assert page.text("#prediction") == prediction
    assert EARLIER in page.text("#summary")
    assert measure_opacity(page, ".headline") < 0.5
    # It notices by itself, and does not wait for the five seconds to pass.
    page.page.clock.pause_at(page.page.evaluate("() => Date.now() + 100"))
    for _ in range(5):
        page.context.set_offline(False)
        with contextlib.suppress(PlaywrightTimeoutError):
            page.page.locator("#problem").wait_for(state="hidden", timeout=4000)
            break
        # On a busy machine Chromium tells of the network before a request gets through. The clock stands, so the page
        # does not try again by itself.
        page.context.set_offline(True)
    assert page.text("#standing") == "Preview — not recorded"
    assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"


def test_page_waits_for_a_model(
    visit: Visiting, environment: dict[str, str], client: Any, bucket: str, bundle: Any
) -> None:
    with serve(environment, MODEL_BUCKET=bucket) as url:
        page = visit(url, opened=False)
        page.page.goto(url)
        page.page.locator("#problem").wait_for()
        assert "No model is loaded" in page.text("#problem")
        assert "tries again" in page.text("#problem")
        assert not page.page.locator("#shown").is_visible()
        Registry(client, bucket, bundle)
        page.page.locator("#prediction").wait_for()
        assert not page.page.locator("#problem").is_visible()
        assert page.page.locator("#fields input[type=number]").count() == 9
