"""The page when something is missing: it says what and what to do, keeps the last answer, and recovers by itself."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from local.ports import find_free_ports
from local.postgres import Postgres
from tests.bundles import Registry
from tests.end_to_end.browsing import Visit, serve
from tests.queues import QueuePair, drain_queue

Visiting = Callable[..., Visit]


def measure_opacity(visit: Visit, selector: str) -> float:
    return float(visit.page.locator(selector).evaluate("element => getComputedStyle(element).opacity"))


@pytest.mark.parametrize("value", ["7", "80.1", ""])
def test_impossible_value_is_not_sent(visit: Visiting, value: str) -> None:
    page = visit()
    asked = len(page.requests)
    page.enter(bmi=value)
    # Longer than the page waits before it asks.
    page.page.wait_for_timeout(300)
    assert len(page.requests) == asked
    assert page.text("#bmi-message") == "Body mass index must be a number from 10 to 80 (kg/m²)"
    assert page.page.locator("#bmi-number").get_attribute("aria-invalid") == "true"
    assert page.text("#standing") == "Answer to earlier values"
    assert measure_opacity(page, ".headline") < 0.5
    page.page.get_by_role("button", name="Record this prediction").click()
    assert page.page.evaluate("() => document.activeElement.id") == "bmi-number"
    assert len(page.requests) == asked
    page.enter(bmi=31)
    assert not page.page.locator("#bmi-message").is_visible()
    assert page.page.locator("#bmi-number").get_attribute("aria-invalid") == "false"
    assert page.text("#standing") == "Preview — not recorded"
    assert measure_opacity(page, ".headline") == 1


def test_network_that_is_away_is_said_and_the_last_answer_stays(visit: Visiting) -> None:
    page = visit(opened=False)
    page.page.clock.install()
    page.open()
    prediction = page.text("#prediction")
    page.context.set_offline(True)
    page.enter(bmi=40)
    page.page.locator("#problem").wait_for()
    assert "The service cannot be reached." in page.text("#problem")
    assert "tries again in 5 seconds" in page.text("#problem")
    assert page.text("#prediction") == prediction
    assert measure_opacity(page, ".headline") < 0.5
    # It notices by itself, and does not wait for the five seconds to pass.
    page.page.clock.pause_at(page.page.evaluate("() => Date.now() + 100"))
    page.context.set_offline(False)
    page.page.locator("#problem").wait_for(state="hidden")
    assert page.text("#standing") == "Preview — not recorded"
    assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"


def test_record_waits_in_the_queue_while_the_database_is_away(
    visit: Visiting,
    environment: dict[str, str],
    own_postgres: tuple[Postgres, Any],
    own_queues: QueuePair,
    sqs: Any,
) -> None:
    postgres, _ = own_postgres
    postgres.kill()
    changed = {"DATABASE_PORT": str(postgres.port), **own_queues.environment}
    with serve(environment, **changed) as url:
        page = visit(url)
        page.page.get_by_role("button", name="Record this prediction").click()
        page.page.locator("#recorded").wait_for()
        assert page.text("#recorded-where") == "In the queue; the link works once it is in the database"
        [message] = drain_queue(sqs, own_queues.url)
        assert page.text("#recorded-id") in message["Body"]


def test_nothing_is_recorded_where_nothing_takes_it_and_previews_go_on(
    visit: Visiting, environment: dict[str, str], own_postgres: tuple[Postgres, Any], own_queues: QueuePair
) -> None:
    postgres, _ = own_postgres
    postgres.kill()
    [closed] = find_free_ports(1)
    changed = {**own_queues.environment, "QUEUE_URL": f"http://127.0.0.1:{closed}/1/queue"}
    with serve(environment, DATABASE_PORT=str(postgres.port), **changed) as url:
        page = visit(url)
        page.page.get_by_role("button", name="Record this prediction").click()
        page.page.locator("#problem").wait_for()
        assert "The prediction could not be recorded" in page.text("#problem")
        assert "You have no record yet: please try again in " in page.text("#problem")
        assert re.search("tell whoever runs the service this id: [0-9a-f-]{36}", page.text("#problem"))
        assert not page.page.locator("#recorded").is_visible()
        assert page.text("#standing") == "Preview — not recorded"
        page.enter(bmi=30)
        assert page.text("#prediction") == f"{page.ask('explain', page.sent)['prediction']:.0f}"
        recorded = page.count_requests("predict")
        # A record is made when a person asks for one, and not again by itself.
        assert recorded == 1
        page.page.get_by_role("button", name="Record this prediction").click()
        page.page.locator("#problem").wait_for()
        assert page.count_requests("predict") == 2


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
