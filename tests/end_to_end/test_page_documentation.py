"""/docs in a real browser: it tries the API with nothing in the way, and is dark where the reader wants it."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import FIRST_PATIENT, Visit

Visiting = Callable[..., Visit]


def open_documentation(visit: Visit) -> None:
    visit.page.get_by_role("link", name="API documentation").click()
    visit.page.locator(".opblock").first.wait_for()


def test_it_is_drawn_and_tries_the_api(visit: Visiting) -> None:
    page = visit()
    open_documentation(page)
    page.page.locator("#operations-explanation-explain").click()
    page.page.get_by_role("button", name="Try it out").click()
    page.page.get_by_role("button", name="Execute").click()
    answer = page.page.locator(".live-responses-table .response-col_description code").first
    answer.wait_for()
    assert f"{page.ask('explain', FIRST_PATIENT)['prediction']:.6f}"[:-1] in answer.inner_text()


@pytest.mark.parametrize("operation", ["predict", "predict_batch"])
def test_no_key_is_sent_that_nobody_typed(visit: Visiting, operation: str) -> None:
    page = visit()
    open_documentation(page)
    page.page.locator(f"#operations-prediction-{operation}").click()
    page.page.get_by_role("button", name="Try it out").click()
    key = page.page.get_by_placeholder("Idempotency-Key")
    assert key.input_value() == ""
    for _ in range(2):
        with page.page.expect_response(lambda response: "/predict" in response.url) as response:
            page.page.get_by_role("button", name="Execute").click()
        assert response.value.status == 200
        assert "idempotency-key" not in response.value.request.headers


def test_no_padlock_is_shown_where_nothing_is_asked_for(visit: Visiting) -> None:
    page = visit()
    open_documentation(page)
    assert page.page.locator("[class*=auth], .locked, .unlocked").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_has_the_readers_colours(visit: Visiting, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    open_documentation(page)

    def is_dark() -> bool:
        color = page.page.locator(".info .title").evaluate("element => getComputedStyle(element).color")
        return sum(map(int, re.findall(r"\d+", color)[:3])) > 3 * 128

    assert is_dark() == (scheme == "dark")
    page.page.emulate_media(color_scheme="dark" if scheme == "light" else "light")
    expect(page.page.locator("html.dark-mode")).to_have_count(1 if scheme == "light" else 0)
    assert is_dark() == (scheme == "light")
