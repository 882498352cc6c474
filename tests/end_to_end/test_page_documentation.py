"""/docs in a real browser: it tries the API, and is dark if the reader wants it."""

import re

from playwright.sync_api import expect

from tests.end_to_end.browsing import FIRST_PATIENT, Visit, Visiting


def open_documentation(visit: Visit) -> None:
    visit.page.get_by_role("link", name="API documentation").click()
    visit.page.locator(".opblock").first.wait_for()
    # Nothing here asks for credentials.
    assert visit.page.locator("[class*=auth], .locked, .unlocked").count() == 0


def test_it_tries_the_api_and_sends_no_key_that_nobody_typed(visit: Visiting) -> None:
    page = visit()
    open_documentation(page)
    for operation in ("explanation-explain", "prediction-predict", "prediction-predict_batch"):
        block = page.page.locator(f"#operations-{operation}")
        block.click()
        block.get_by_role("button", name="Try it out").click()
        with page.page.expect_response(lambda response: response.request.method == "POST") as response:
            block.get_by_role("button", name="Execute").click()
        assert response.value.status == 200
        assert "idempotency-key" not in response.value.request.headers
    answer = page.page.locator("#operations-explanation-explain .live-responses-table .response-col_description code")
    assert f"{page.ask('explain', FIRST_PATIENT)['prediction']:.6f}"[:-1] in answer.first.inner_text()


def test_it_follows_the_readers_colours(visit: Visiting) -> None:
    page = visit(color_scheme="light")
    open_documentation(page)
    for scheme in ("light", "dark", "light"):
        page.page.emulate_media(color_scheme=scheme)
        expect(page.page.locator("html.dark-mode")).to_have_count(int(scheme == "dark"))
        color = page.page.locator(".info .title").evaluate("element => getComputedStyle(element).color")
        is_bright = sum(map(int, re.findall(r"\d+", color)[:3])) > 3 * 128
        assert is_bright == (scheme == "dark")
