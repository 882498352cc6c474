"""The page's button: one press, one row, whoever presses it how often; and what the page then says of the record."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from local.ports import LOOPBACK
from tests.bundles import Registry, copy_bundle
from tests.end_to_end.browsing import FIRST_PATIENT, OTHER_NAME, TYPED_FIRST_PATIENT, Visit, serve
from training.registry import promote_version, publish_bundle

Visiting = Callable[..., Visit]
Query = Callable[..., list[Any]]


def count_rows(query: Query) -> int:
    [[count]] = query("SELECT count(*) FROM predictions")
    return int(count)


def hold_requests(visit: Visit, path: str) -> list[Route]:
    """Those that the page sends from now on; none goes on by itself."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    visit.page.route(f"**/{path}", hold)
    return held


def test_record_is_a_row_with_the_id_that_is_shown_and_copied(visit: Visiting, query: Query) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.enter(**TYPED_FIRST_PATIENT)
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


def test_link_leads_to_the_record(visit: Visiting) -> None:
    page = visit()
    page.page.get_by_role("button", name="Record this prediction").click()
    with page.page.expect_popup() as popup:
        page.page.locator("#recorded-id").click()
    record = json.loads(popup.value.locator("body").inner_text())
    assert record["request_id"] == page.text("#recorded-id")
    assert record["features"] == page.sent


def test_one_prediction_has_one_record_however_often_it_is_asked_for(visit: Visiting, query: Query) -> None:
    page = visit()
    before = count_rows(query)
    button = page.page.locator("#record")
    button.dblclick()
    page.page.locator("#recorded").wait_for()
    button.focus()
    for _ in range(5):
        # Without a release between them these are a key that is held down.
        page.page.keyboard.down("Enter")
    button.click(force=True)
    expect(button).to_have_text("Already recorded")
    expect(button).to_have_attribute("aria-disabled", "true")
    assert page.count_requests("predict") == count_rows(query) - before == 1
    page.enter(bmi=31)
    expect(button).to_have_text("Record this prediction")
    button.click()
    expect(button).to_have_text("Already recorded")
    assert page.count_requests("predict") == count_rows(query) - before == 2


def test_presses_while_the_record_is_on_its_way_are_one(visit: Visiting, query: Query) -> None:
    page = visit()
    before = count_rows(query)
    held = hold_requests(page, "predict")
    button = page.page.locator("#record")
    button.focus()
    with page.page.expect_request("**/predict"):
        page.page.keyboard.down("Enter")
    expect(button).to_have_text("Recording …")
    for _ in range(5):
        page.page.keyboard.down("Enter")
    button.click(force=True)
    for route in held:
        route.continue_()
    expect(button).to_have_text("Already recorded")
    assert len(held) == count_rows(query) - before == 1


def test_record_is_never_shown_as_a_preview(visit: Visiting) -> None:
    page = visit()
    held = hold_requests(page, "explain")
    page.page.locator("#record").click()
    page.page.locator("#recorded").wait_for()
    # Its own answer is still on the way.
    assert page.text("#standing") == "Recorded"
    for route in held:
        route.continue_()
    page.page.unroute("**/explain")
    page.enter(bmi=31)
    assert page.text("#standing") == "Preview — not recorded"


def test_after_a_lost_answer_it_can_be_tried_again(visit: Visiting) -> None:
    page = visit()
    page.page.route("**/predict", lambda route: route.abort())
    page.page.locator("#record").click()
    page.page.locator("#problem").wait_for()
    # It may have come as far as the database.
    assert "There may or may not be a record: please try again in " in page.text("#problem")
    assert page.text("#standing") == "Preview — not recorded"
    page.page.unroute("**/predict")
    page.page.get_by_role("button", name="Try now").click()
    page.page.locator("#recorded").wait_for()
    expect(page.page.locator("#problem")).to_be_hidden()
    expect(page.page.locator("#record")).to_have_text("Already recorded")


def test_another_version_makes_another_record(
    visit: Visiting, environment: dict[str, str], registry: Registry, bundle: Any, tmp_path: Any
) -> None:
    with serve(environment, MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS="1") as url:
        page = visit(url)
        button = page.page.locator("#record")
        button.click()
        expect(button).to_have_text("Already recorded")
        version = "20990101T000000Z-00000000"
        publish_bundle(registry.client, registry.bucket, copy_bundle(bundle, tmp_path, version))
        promote_version(registry.client, registry.bucket, version)
        # Not before the service looks for another.
        page.page.wait_for_timeout(1100)
        page.page.get_by_role("button", name="Back to typical values").click()
        expect(button).to_have_text("Record this prediction")
        assert page.page.locator("#recorded-outdated").is_visible()
        button.click()
        expect(button).to_have_text("Already recorded")
        assert not page.page.locator("#recorded-outdated").is_visible()
        assert page.count_requests("predict") == 2


def test_id_can_be_taken_by_hand_where_the_clipboard_is_closed(visit: Visiting, page_url: str) -> None:
    # To browsers plain HTTP is secure on the loopback address alone.
    page = visit(page_url.replace(LOOPBACK, OTHER_NAME))
    page.page.get_by_role("button", name="Record this prediction").click()
    page.page.get_by_role("button", name="Copy id").click()
    page.page.get_by_role("button", name="Selected").wait_for()
    assert page.page.evaluate("() => getSelection().toString()") == page.text("#recorded-id")
