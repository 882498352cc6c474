"""/docs in a real browser: it tries the API, and is dark if the reader wants it."""

import re

import pytest
from playwright.sync_api import expect

from tests.end_to_end.browsing import FIRST_PATIENT, Visit, Visiting


def open_documentation(visit: Visit) -> None:
    visit.page.get_by_role("link", name="API documentation").click()
    visit.page.locator(".opblock").first.wait_for()
    # Nothing here asks for credentials.
    assert visit.page.locator("[class*=auth], .locked, .unlocked").count() == 0


def open_operation(visit: Visit, name: str) -> None:
    visit.page.locator(f"#operations-{name}").click()
    visit.page.get_by_role("button", name="Try it out").click()


def test_it_tries_the_api(visit: Visiting) -> None:
    page = visit()
    open_documentation(page)
    open_operation(page, "explanation-explain")
    page.page.get_by_role("button", name="Execute").click()
    answer = page.page.locator(".live-responses-table .response-col_description code").first
    answer.wait_for()
    assert f"{page.ask('explain', FIRST_PATIENT)['prediction']:.6f}"[:-1] in answer.inner_text()


@pytest.mark.parametrize("operation", ["predict", "predict_batch"])
def test_no_key_is_sent_that_nobody_typed(visit: Visiting, operation: str) -> None:
    page = visit()
    open_documentation(page)
    open_operation(page, f"prediction-{operation}")
    assert page.page.get_by_placeholder("Idempotency-Key").input_value() == ""
    for _ in range(2):
        with page.page.expect_response(lambda response: "/predict" in response.url) as response:
            page.page.get_by_role("button", name="Execute").click()
        assert response.value.status == 200
        assert "idempotency-key" not in response.value.request.headers


def test_it_follows_the_readers_colours(visit: Visiting) -> None:
    page = visit(color_scheme="light")
    open_documentation(page)
    for scheme in ("light", "dark", "light"):
        page.page.emulate_media(color_scheme=scheme)
        expect(page.page.locator("html.dark-mode")).to_have_count(int(scheme == "dark"))
        color = page.page.locator(".info .title").evaluate("element => getComputedStyle(element).color")
        is_bright = sum(map(int, re.findall(r"\d+", color)[:3])) > 3 * 128
        assert is_bright == (scheme == "dark")
