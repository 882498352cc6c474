"""The page's button and its records: one prediction has one record, and the page says where it is."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from local.ports import LOOPBACK, find_free_ports
from local.postgres import Postgres
from tests.bundles import DECISION, Registry, copy_bundle
from tests.end_to_end.browsing import FIRST_PATIENT, OTHER_NAME, TYPED_FIRST_PATIENT, Visiting, serve
from tests.functional.candidates import CANDIDATE, shift
from tests.queues import QueuePair, drain_queue
from training.promotion import promote_version
from training.registry import publish_bundle

Query = Callable[..., list[Any]]


def count_rows(query: Query) -> int:
    [[count]] = query("SELECT count(*) FROM predictions")
    return int(count)


@pytest.fixture
def without_database(
    environment: dict[str, str], own_postgres: tuple[Postgres, Any], own_queues: QueuePair
) -> dict[str, str]:
    """The environment of a service whose database is away."""
    postgres, _ = own_postgres
    postgres.kill()
    return {**environment, "DATABASE_PORT": str(postgres.port), **own_queues.environment}


def test_record_is_a_row_with_the_id_that_is_shown_copied_and_linked(visit: Visiting, query: Query) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    page.enter(**TYPED_FIRST_PATIENT)
    request_id = page.press_record()
    columns = ", ".join(FIRST_PATIENT)
    [[prediction, *features]] = query(
        f"SELECT prediction, {columns} FROM predictions WHERE request_id = :id", id=request_id
    )
    assert dict(zip(FIRST_PATIENT, features, strict=True)) == FIRST_PATIENT
    assert page.text("#recorded-prediction").startswith(f"{prediction:.0f} (")
    assert page.text("#recorded-where") == "In the database"
    assert page.text("#recorded-time")
    expect(page.page.locator("#standing")).to_have_text("Recorded")
    record = page.open_record()
    assert (record["request_id"], record["features"]) == (request_id, FIRST_PATIENT)
    page.page.get_by_role("button", name="Copy id").click()
    page.page.get_by_role("button", name="Copied").wait_for()
    assert page.page.evaluate("() => navigator.clipboard.readText()") == request_id
    assert not page.page.locator("#recorded-outdated").is_visible()
    page.enter(bmi=25)
    assert page.page.locator("#recorded-outdated").is_visible()
    assert page.text("#standing") == "Preview — not recorded"
    page.enter(bmi=FIRST_PATIENT["bmi"])
    assert not page.page.locator("#recorded-outdated").is_visible()


def test_one_prediction_has_one_record_however_often_it_is_asked_for(visit: Visiting, query: Query) -> None:
    page = visit()
    before = count_rows(query)
    held = page.hold_requests("predict")
    page.record.focus()
    with page.page.expect_request("**/predict"):
        page.page.keyboard.down("Enter")
    expect(page.record).to_have_text("Recording …")
    for _ in range(5):
        # Without a release between them these are a key that is held down.
        page.page.keyboard.down("Enter")
    page.record.dblclick(force=True)
    for route in held:
        route.continue_()
    page.page.unroute("**/predict")
    expect(page.record).to_have_text("Already recorded")
    expect(page.record).to_have_attribute("aria-disabled", "true")
    for _ in range(5):
        page.page.keyboard.down("Enter")
    page.record.dblclick(force=True)
    assert page.count_requests("predict") == len(held) == count_rows(query) - before == 1
    page.enter(bmi=31)
    expect(page.record).to_have_text("Record this prediction")
    page.record.dblclick()
    expect(page.record).to_have_text("Already recorded")
    assert page.count_requests("predict") == count_rows(query) - before == 2


def test_record_is_never_shown_as_a_preview(visit: Visiting) -> None:
    page = visit()
    held = page.hold_requests("explain")
    page.press_record()
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
    page.record.click()
    page.page.locator("#problem").wait_for()
    # It may have come as far as the database.
    assert "There may or may not be a record: please try again in " in page.text("#problem")
    assert page.text("#standing") == "Preview — not recorded"
    page.page.unroute("**/predict")
    page.page.get_by_role("button", name="Try now").click()
    page.page.locator("#recorded").wait_for()
    expect(page.page.locator("#problem")).to_be_hidden()
    expect(page.record).to_have_text("Already recorded")


def test_version_that_is_promoted_meanwhile_takes_over_and_makes_another_record(
    visit: Visiting, environment: dict[str, str], registry: Registry, bundle: Any, tmp_path: Any
) -> None:
    with serve(environment, MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS="1") as url:
        page = visit(url)
        page.press_record()
        expect(page.record).to_have_text("Already recorded")
        version = "20990101T000000Z-00000000"
        publish_bundle(registry.client, registry.bucket, copy_bundle(bundle, tmp_path, version))
        promote_version(registry.client, registry.bucket, version, DECISION)
        # Not before the service looks for another.
        page.page.wait_for_timeout(1100)
        page.page.get_by_role("button", name="Back to typical values").click()
        page.wait()
        assert version in page.text("footer")
        # At the start, after the record, and after the promotion.
        assert page.count_requests("model") == 3
        assert page.page.locator("#recorded-outdated").is_visible()
        page.press_record()
        expect(page.record).to_have_text("Already recorded")
        assert not page.page.locator("#recorded-outdated").is_visible()
        assert page.count_requests("predict") == 2


def test_record_of_the_candidate_is_the_record_of_the_prediction(
    visit: Visiting, environment: dict[str, str], registry: Registry
) -> None:
    registry.add_version(CANDIDATE, scaler=shift)
    with serve(environment, MODEL_BUCKET=registry.bucket, MODEL_REFRESH_SECONDS="1") as url:
        page = visit(url)
        bmi = page.page.locator("#bmi-number").input_value()
        assert page.text("#trial") == ""
        registry.point(candidate=CANDIDATE, mode="canary")
        page.page.wait_for_timeout(1100)
        page.press_record()
        expect(page.record).to_have_text("Already recorded")
        assert page.open_record()["model_version"] == page.text("#recorded-model") == CANDIDATE
        assert page.text("#recorded-prediction") != page.text("#summary-answer")
        assert page.text("#recorded-candidate") == (
            "The candidate made this prediction; the preview is of the current model."
        )
        assert not page.page.locator("#recorded-outdated").is_visible()
        assert f"Model {registry.version}. The candidate {CANDIDATE} is tried in a canary" in page.text("footer")
        page.enter(bmi=25)
        assert page.page.locator("#recorded-outdated").is_visible()
        # When it has taken over, the record is of the current model.
        registry.point(CANDIDATE)
        page.page.wait_for_timeout(1100)
        page.enter(bmi=bmi)
        expect(page.record).to_have_text("Already recorded")
        assert f"Model {CANDIDATE}. API" in page.text("footer")
        assert not page.page.locator("#recorded-outdated").is_visible()
        assert not page.page.locator("#recorded-candidate").is_visible()
        assert page.count_requests("predict") == 1


def test_id_can_be_taken_by_hand_where_the_clipboard_is_closed(visit: Visiting, page_url: str) -> None:
    # To browsers plain HTTP is secure on the loopback address alone.
    page = visit(page_url.replace(LOOPBACK, OTHER_NAME))
    request_id = page.press_record()
    page.page.get_by_role("button", name="Copy id").click()
    page.page.get_by_role("button", name="Selected").wait_for()
    assert page.page.evaluate("() => getSelection().toString()") == request_id


def test_record_waits_in_the_queue_while_the_database_is_away(
    visit: Visiting, without_database: dict[str, str], sqs: Any
) -> None:
    with serve(without_database) as url:
        page = visit(url)
        request_id = page.press_record()
        assert page.text("#recorded-where") == "In the queue; the link works once it is in the database"
        [message] = drain_queue(sqs, without_database["QUEUE_URL"])
        assert request_id in message["Body"]


def test_nothing_is_recorded_where_nothing_takes_it_and_previews_go_on(
    visit: Visiting, without_database: dict[str, str]
) -> None:
    [closed] = find_free_ports(1)
    with serve(without_database, QUEUE_URL=f"http://127.0.0.1:{closed}/1/queue") as url:
        page = visit(url)
        page.record.click()
        page.page.locator("#problem").wait_for()
        assert "The prediction could not be recorded" in page.text("#problem")
        assert "You have no record yet: please try again in " in page.text("#problem")
        assert re.search("tell whoever runs the service this id: [0-9a-f-]{36}", page.text("#problem"))
        assert not page.page.locator("#recorded").is_visible()
        assert page.text("#standing") == "Preview — not recorded"
        page.enter(bmi=30)
        assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"
        # A record is made when a person asks for one, and not again by itself.
        assert page.count_requests("predict") == 1
        page.record.click()
        page.page.locator("#problem").wait_for()
        assert page.count_requests("predict") == 2
