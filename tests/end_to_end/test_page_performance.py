"""The page's second view in Chromium: what the report says, in words and drawings, and what is said without one."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lambda_app.http.performance import REPORT_KEY
from problem.table import TABLE
from tests.bundles import Registry
from tests.end_to_end.browsing import Visit, open_context, serve
from tests.end_to_end.test_page_for_everybody import (
    COLLECT_TEXTS,
    find_background,
    measure_contrast,
    parse_color,
)
from tests.reports import EARLIER_VERSION, THRESHOLD, VERSION, make_report

Showing = Callable[..., Visit]
DRIFTED = ("sex", "bmi", "s5")


@pytest.fixture
def url(registry: Registry, environment: dict[str, str]) -> Iterator[str]:
    with serve(environment, MODEL_BUCKET=registry.bucket) as url:
        yield url


@pytest.fixture
def show(browser: Browser, registry: Registry, url: str) -> Iterator[Showing]:
    """Open the view in a window of its own, with this report in S3; None for no report."""
    visits: list[Visit] = []

    def show_report(report: dict[str, Any] | None, **options: Any) -> Visit:
        if report:
            registry.write(REPORT_KEY, json.dumps(report).encode())
        visits.append(Visit(open_context(browser, **options), url))
        open_view(visits[-1])
        return visits[-1]

    yield show_report
    for visit in visits:
        visit.close()


def open_view(visit: Visit) -> None:
    visit.page.goto(visit.url + "performance.html")
    wait(visit.page)


def wait(page: Page) -> None:
    page.wait_for_function("() => document.body.dataset.state === 'shown'")


def read_table(visit: Visit, selector: str) -> dict[str, list[str]]:
    """The rows of a table by their heads, without the page's no-break spaces."""
    rows = visit.page.locator(f"{selector} tbody tr").all()
    texts = [[cell.inner_text().replace("\xa0", " ") for cell in row.locator("th, td").all()] for row in rows]
    return {head: cells for head, *cells in texts}


def text(visit: Visit, selector: str) -> str:
    return visit.text(selector).replace("\xa0", " ")


def test_figures_stand_beside_the_promise(show: Showing) -> None:
    report = make_report()
    visit = show(report)
    live = report["versions"][-1]["live"]
    rows = read_table(visit, "#current .figures")
    assert list(rows) == [
        *("Mean absolute error", "Root mean squared error", "Bias, prediction minus outcome", "R²"),
        *("Outcomes within their interval", "Mean width of an interval"),
    ]
    promised, value, interval = rows["Root mean squared error"]
    rmse = live["rmse"]
    assert (promised, value) == ("53.9", f"{rmse['value']:.1f}")
    assert interval == f"{rmse['lower']:.1f} to {rmse['upper']:.1f}"
    assert rows["Outcomes within their interval"][:2] == ["90 %", f"{round(100 * live['coverage']['value'], 1):g} %"]
    assert rows["Bias, prediction minus outcome"][0] == "\N{MINUS SIGN}0.3"
    counts = text(visit, "#current .counts")
    assert "known for 96 of 412 (23.3 %) predictions of the last 30 days" in counts
    assert "it is known for 352 of 398 (88.4 %)" in counts
    assert "nine of ten within 41" in counts
    assert "expects a mean absolute error of 43.7" in text(visit, "#current .expected")
    assert "the figures mislead" in text(visit, "#current .expected")
    thirds = read_table(visit, "#current .thirds")
    assert thirds["Outcome known for"][0] == "32 of 137 (23.4 %)"
    assert len(thirds["Root mean squared error, live"]) == 3


def test_without_an_alarm_it_says_how_little_that_proves(show: Showing) -> None:
    visit = show(make_report())
    assert visit.text("#state-title") == "No alarm"
    assert "28 November 2026" in visit.text("#state-text")
    coverage, drift = text(visit, "#coverage-words"), text(visit, "#drift-words")
    assert "an alarm comes at 10,000." in coverage
    assert "a false alarm comes on average at most once in 10,000 outcomes" in coverage
    assert "does not prove the promise" in coverage
    assert "11 tests on 399 patients of the last 30 days" in drift
    assert "about once a year" in drift
    assert visit.page.locator(".drifted").count() == 0
    assert visit.page.locator("#current circle.alarm").count() == 0


def test_alarms_are_shown_and_say_how_often_they_are_false(show: Showing) -> None:
    report = make_report(drifted=DRIFTED, misses=0.35)
    report["settings"]["drift_false_alarms_per_year"] = 2
    visit = show(report)
    assert visit.text("#state-title") == "Two alarms"
    assert text(visit, "#coverage-words").startswith("More than 14 % of outcomes seem to fall outside")
    assert "at most once in 10,000 outcomes" in visit.text("#coverage-words")
    words = visit.text("#drift-words")
    assert "Sex, Body mass index, Serum triglycerides, The prediction." in words
    assert "It does not say that the predictions are worse" in words
    assert "about 2 times a year" in words
    assert visit.page.locator(".drifted h3").all_inner_texts() == [
        *("Sex", "Body mass index", "Serum triglycerides", "The prediction")
    ]
    alarms = len(report["versions"][-1]["sentinel"]["alarms"])
    assert visit.page.locator("#current circle.alarm").count() == alarms > 0
    line = visit.page.locator("#current line.threshold").last
    alarm = visit.page.locator("#current circle.alarm").first
    assert alarm.get_attribute("cy") == line.get_attribute("y1")


def test_drawings_are_of_the_report(show: Showing) -> None:
    report = make_report()
    visit = show(report)
    blocks = report["versions"][-1]["over_time"]
    figures = visit.page.locator("#current figure")
    assert figures.locator("h4").all_inner_texts() == [
        *("Mean absolute error over time", "Coverage over time", "Evidence against the coverage")
    ]
    for name, figure in zip(("mae", "coverage"), figures.all(), strict=False):
        heights = [float(dot.get_attribute("cy") or "") for dot in figure.locator("circle.point").all()]
        values = [block[name]["value"] for block in blocks]
        assert len(heights) == len(values)
        # What is larger is higher.
        for height, value in zip(heights, values, strict=True):
            assert (height < heights[0]) == (value > values[0])
        assert figure.locator("line.interval").count() == len(values)
        assert figure.locator("line.promise").count() == 1
    assert visit.page.locator("#tests > li").count() == len(TABLE.features) + 1
    [first, *_] = report["drift"]["tests"]
    bars = visit.boxes("#tests > li:first-child rect.window")
    assert len(bars) == len(first["window"])
    assert (bars[0]["height"] > bars[1]["height"]) == (first["window"][0] > first["window"][1])


def test_earlier_versions_open_on_demand(show: Showing) -> None:
    visit = show(make_report())
    earlier = visit.page.locator("#earlier details")
    expect(earlier).to_contain_text(EARLIER_VERSION)
    expect(earlier.locator(".counts")).to_be_hidden()
    earlier.locator("summary").focus()
    visit.page.keyboard.press("Enter")
    expect(earlier.locator(".counts")).to_be_visible()
    # What was hidden had no width to be drawn in.
    expect(earlier.locator("circle.point").first).to_be_visible()


def test_links_lead_from_view_to_view(show: Showing) -> None:
    visit = show(make_report())
    views = visit.page.get_by_role("navigation", name="Views").get_by_role("link")
    expect(views.nth(1)).to_have_attribute("aria-current", "page")
    views.nth(0).click()
    visit.wait()
    assert visit.page.url == visit.url
    visit.page.get_by_role("link", name="How the model is doing").click()
    wait(visit.page)
    assert visit.page.url == f"{visit.url}performance.html"


def test_no_report_is_said_plainly(show: Showing) -> None:
    visit = show(None)
    assert visit.text("#state-title") == "There is no report yet"
    assert visit.text("#status").startswith("There is no report yet")
    for part in ("#alarms", "#drift", "#earlier", "#again"):
        expect(visit.page.locator(part)).to_be_hidden()


def test_no_outcome_and_no_test_are_said_plainly(show: Showing) -> None:
    report = make_report()
    nothing: dict[str, Any] = {
        "live": None,
        "sentinel": None,
        "over_time": [],
        "due": None,
        "delay_days": None,
        "expected": None,
    }
    report["versions"] = [report["versions"][-1] | nothing]
    report["drift"] = None
    report["note"] = "The model was published without a reference."
    visit = show(report)
    assert visit.text("#state-title") == "Nothing can be said yet"
    assert visit.text("#coverage-verdict") == "Not watched."
    assert visit.text("#drift-verdict") == "Not tested."
    assert "published without a reference" in visit.text("#drift-summary")
    expect(visit.page.locator("#current .nothing")).to_be_visible()
    for part in ("#current .figures", "#current .thirds", "#drift-legend"):
        expect(visit.page.locator(part)).to_be_hidden()
    assert visit.page.locator("svg").count() == 0


def test_undefined_figures_and_a_promise_that_is_missing_are_not_numbers(show: Showing) -> None:
    report = make_report()
    version = report["versions"][-1]
    unknown = {"value": None, "lower": None, "upper": None}
    version["promised"] = dict.fromkeys(version["promised"])
    version["live"] |= {"r2": unknown, "coverage": unknown, "mean_width": unknown}
    version["over_time"][1]["mae"] = unknown
    for block in version["over_time"]:
        block["coverage"] = unknown
    visit = show(report)
    assert read_table(visit, "#current .figures")["R²"] == ["not known"] * 3
    assert visit.page.locator("#current h4").all_inner_texts() == [
        *("Mean absolute error over time", "Evidence against the coverage")
    ]
    assert visit.page.locator("#current figure >> nth=0").locator("line.promise").count() == 0
    assert "NaN" not in visit.page.content()
    assert "undefined" not in visit.page.content()


def test_feature_that_was_constant_in_the_training_has_one_bin(show: Showing) -> None:
    report = make_report()
    test = report["drift"]["tests"][0]
    test.update({"edges": [], "reference": [442], "window": [150]})
    visit = show(report)
    label = visit.page.locator("#tests svg").first.get_attribute("aria-label")
    assert label == "Age in training and in the window. any value: 100\u00a0% and 100\u00a0%"
    assert "undefined" not in visit.page.content()


def test_one_block_and_one_outcome_can_be_drawn(show: Showing) -> None:
    report = make_report()
    version = report["versions"][-1]
    version["over_time"] = version["over_time"][:1]
    version["sentinel"] |= {"outcomes": 1, "line": version["sentinel"]["line"][:1]}
    visit = show(report)
    assert visit.page.locator("#current circle.point").count() == 2
    assert "NaN" not in visit.page.content()


def test_an_old_report_says_so(show: Showing) -> None:
    visit = show(make_report() | {"generated_at": "2026-01-01T01:30:00Z"})
    assert "days old: the monitor may have stopped" in visit.text("#state-text")


def test_failure_is_told_and_tried_again(show: Showing) -> None:
    visit = show(make_report())
    visit.page.route("**/performance", lambda route: route.fulfill(status=503, headers={"retry-after": "60"}))
    open_view(visit)
    assert visit.text("#state-title") == "The report cannot be shown"
    assert "This page tries again in 60 seconds." in visit.text("#state-text")
    visit.page.unroute("**/performance")
    visit.page.get_by_role("button", name="Try now").click()
    expect(visit.page.locator("#alarms")).to_be_visible()
    expect(visit.page.locator("#again")).to_be_hidden()


def test_features_keep_their_short_names_where_the_model_cannot_be_asked(show: Showing) -> None:
    visit = show(make_report())
    visit.page.route("**/model", lambda route: route.fulfill(status=503))
    open_view(visit)
    names = visit.page.locator("#tests h3").all_inner_texts()
    assert names == [*TABLE.names, "The prediction"]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_window(show: Showing, width: int) -> None:
    visit = show(make_report(drifted=DRIFTED, misses=0.35), viewport={"width": width, "height": 800})
    visit.page.locator("#earlier summary").click()
    beyond = visit.page.evaluate(
        "width => [...document.querySelectorAll('body *')].filter(element => element.checkVisibility() &&"
        " element.getBoundingClientRect().right > width + 1).map(element => element.outerHTML.slice(0, 80))",
        width,
    )
    assert beyond == []
    assert visit.page.evaluate("() => document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_lines_have_enough_contrast(show: Showing, scheme: str) -> None:
    visit = show(make_report(drifted=DRIFTED, misses=0.35), color_scheme=scheme)
    texts = visit.page.evaluate(COLLECT_TEXTS)
    assert {"Two alarms", "Alarm.", "Has moved", "Mean absolute error"} <= {each["text"] for each in texts}
    for each in texts:
        found = measure_contrast(parse_color(each["color"])[0], find_background(each["behind"]))
        assert found >= 4.5, f"{each['text']!r} has a contrast of {found:.2f}"
    surface = parse_color(visit.page.locator("#current .card").evaluate("e => getComputedStyle(e).backgroundColor"))[0]
    for line in (".trend", ".promise", ".threshold"):
        stroke = visit.page.locator(f"#current {line}").first.evaluate("element => getComputedStyle(element).stroke")
        assert measure_contrast(parse_color(stroke)[0], surface) >= 3, line


def test_tab_reaches_everything_in_order(show: Showing) -> None:
    visit = show(make_report())
    reached = []
    for _ in range(5):
        visit.page.keyboard.press("Tab")
        name, outline = visit.page.evaluate(
            "() => { const at = document.activeElement;"
            " return [at.href || at.textContent, getComputedStyle(at).outlineStyle]; }"
        )
        assert outline != "none", f"{name} does not show that it has the focus"
        reached.append(name)
    views = [visit.url, f"{visit.url}performance.html"]
    versions = [f"Current version {VERSION}", f"Version {EARLIER_VERSION}"]
    assert reached == [*views, *versions, f"{visit.url}docs"]


def test_everything_has_a_name_for_a_screen_reader(show: Showing) -> None:
    report = make_report()
    visit = show(report)
    visit.page.locator("#earlier summary").click()
    session = visit.context.new_cdp_session(visit.page)
    names: dict[str, list[str]] = {}
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        if not node["ignored"]:
            names.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("link", "image", "table", "heading", "region", "navigation"):
        assert names[role], f"there is no {role}"
        assert all(names[role]), f"a {role} has no name"
    for role in ("link", "image", "table", "region"):
        assert len(set(names[role])) == len(names[role]), f"of {role} two have the same name"
    # Three for each version and one for each test.
    assert len(names["image"]) == 2 * 3 + len(report["drift"]["tests"])
    [evidence] = [name for name in names["image"] if VERSION in name and "Evidence" in name]
    assert f"the threshold is {THRESHOLD:,.0f}" in evidence
    assert names["status"]
    levels = visit.page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3, h4')].filter(element => element.checkVisibility())"
        ".map(element => Number(element.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_off_where_pages_are_off(browser: Browser, environment: dict[str, str]) -> None:
    with serve(environment, PAGES="off") as url:
        visit = Visit(open_context(browser), url)
        for path in ("performance.html", "performance"):
            answer = visit.page.goto(url + path)
            assert answer
            assert answer.status == 404
        visit.close()
