"""The page for those who use a keyboard, a screen reader, a dark room or a small screen."""

import itertools
import re
from typing import Any

import pytest

from problem.table import TABLE
from tests.end_to_end.browsing import Visit, Visiting

# Every visible text with its colour and those behind it, from the innermost outwards.
COLLECT_TEXTS = """() => [...document.querySelectorAll('body *')].flatMap(element => {
  const texts = [...element.childNodes].filter(node => node.nodeType === 3 && node.data.trim());
  if (!texts.length || !element.checkVisibility({visibilityProperty: true}) || element.closest('.unseen, noscript')) {
    return [];
  }
  const style = getComputedStyle(element);
  const behind = [];
  for (let each = element; each; each = each.parentElement) {
    behind.push(getComputedStyle(each).backgroundColor);
  }
  const color = element.ownerSVGElement ? style.fill : style.color;
  return [{text: texts[0].data.trim(), color, behind, pixels: parseFloat(style.fontSize), weight: +style.fontWeight}];
})"""

# What a person must see to use the page, though it is no text, and what it is drawn on.
GRAPHICS = [
    ("--edge", "--surface"),
    ("--accent", "--surface"),
    ("--accent", "--paper"),
    ("--accent", "--line"),
    ("--down", "--surface"),
    ("--error", "--surface"),
]


def parse_color(color: str) -> tuple[list[float], float]:
    """Red, green and blue from 0 to 255, and how opaque it is."""
    if color.startswith("#"):
        return [int(color[index : index + 2], 16) for index in (1, 3, 5)], 1.0
    numbers = [float(number) for number in re.findall(r"[\d.]+", color)]
    return numbers[:3], numbers[3] if len(numbers) > 3 else 1.0


def measure_luminance(color: list[float]) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    shares = [part / 255 for part in color]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def measure_contrast(one: list[float], other: list[float]) -> float:
    dark, light = sorted((measure_luminance(one), measure_luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def find_background(behind: list[str]) -> list[float]:
    for color in behind:
        parts, opacity = parse_color(color)
        assert opacity in {0, 1}, f"{color} lets through what is behind it"
        if opacity:
            return parts
    raise AssertionError("nothing is behind it")


def show_everything(page: Visit) -> None:
    """Make the page show a warning and a record."""
    page.enter(s3=10)
    page.press_record()
    page.enter(s6=100)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_graphics_have_enough_contrast(visit: Visiting, scheme: str) -> None:
    page = visit(color_scheme=scheme)
    show_everything(page)
    texts = page.page.evaluate(COLLECT_TEXTS)
    page.context.set_offline(True)
    page.enter(age=30, bmi=7)
    page.enter(bmi=30)
    page.page.locator("#problem").wait_for()
    page.enter(bmi=7)
    texts += page.page.evaluate(COLLECT_TEXTS)
    shown = " ".join(text["text"] for text in texts)
    for words in ("Recorded", "Record this prediction", "Try now", "Age", "must be", "A value cannot be used"):
        assert words in shown
    for text in texts:
        large = text["pixels"] >= 24 or (text["pixels"] >= 18.66 and text["weight"] >= 700)
        found = measure_contrast(parse_color(text["color"])[0], find_background(text["behind"]))
        assert found >= (3 if large else 4.5), f"{text['text']!r} has a contrast of {found:.2f}"

    def find_color(name: str) -> list[float]:
        look_up = "name => getComputedStyle(document.documentElement).getPropertyValue(name)"
        return parse_color(page.page.evaluate(look_up, name))[0]

    for front, back in GRAPHICS:
        assert measure_contrast(find_color(front), find_color(back)) >= 3, f"{front} on {back}"
    assert (measure_luminance(find_color("--paper")) < 0.5) == (scheme == "dark")


@pytest.mark.parametrize("width", [320, 360, 768, 1024, 1440])
def test_nothing_is_wider_than_the_window(visit: Visiting, width: int) -> None:
    page = visit(viewport={"width": width, "height": 740})
    show_everything(page)
    seen, scrolled = page.page.evaluate(
        "() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    )
    assert scrolled <= seen
    beyond = page.page.evaluate(
        "width => [...document.querySelectorAll('body *')].filter(element => element.checkVisibility() &&"
        " element.getBoundingClientRect().right > width + 1).map(element => element.outerHTML.slice(0, 80))",
        width,
    )
    assert not beyond


def test_cards_leave_no_hole_beside_each_other(visit: Visiting) -> None:
    page = visit(viewport={"width": 1280, "height": 800})
    for _ in range(2):
        patient, answer, reasons = (page.box(card) for card in ("#case", "#answer", "#reasons"))
        assert patient["y"] == answer["y"]
        assert patient["height"] == answer["height"]
        assert patient["right"] < answer["x"]
        assert (reasons["x"], reasons["right"]) == (patient["x"], answer["right"])
        assert 0 < reasons["y"] - answer["y"] - answer["height"] < 40
        show_everything(page)


def test_on_a_phone_the_answer_follows_the_fields(visit: Visiting) -> None:
    page = visit(viewport={"width": 360, "height": 740})
    page.page.locator("#age-number").focus()
    assert page.text("#summary") == f"Prediction {page.text('#prediction')} ({page.text('#interval')})"
    bar = page.box("#summary")
    assert bar["y"] + bar["height"] <= 741
    assert page.box("#answer")["y"] > 740


def test_tab_reaches_everything_in_order(visit: Visiting) -> None:
    page = visit()
    show_everything(page)
    reached: list[str] = []
    for _ in range(40):
        page.page.keyboard.press("Tab")
        name = page.page.evaluate("() => { const at = document.activeElement; return at.id || at.name || at.href; }")
        if name in reached:
            break
        # After the last one it is the browser's own turn.
        if name is None:
            continue
        outline = page.page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"{name} does not show that it has the focus"
        reached.append(name)
    fields = [
        [feature.name] if feature.name == "sex" else [f"{feature.name}-number", f"{feature.name}-slider"]
        for feature in TABLE.features
    ]
    # From where the last click was.
    first = reached.index("typical")
    in_order = [*reached[first:], *reached[:first]]
    views = [page.url, f"{page.url}performance.html"]
    assert in_order == [
        "typical",
        *itertools.chain(*fields),
        "record",
        "recorded-id",
        "copy",
        f"{page.url}docs",
        *views,
    ]


def test_everything_has_a_name_for_a_screen_reader(visit: Visiting) -> None:
    page = visit()
    show_everything(page)
    session = page.context.new_cdp_session(page.page)
    nodes: list[dict[str, Any]] = session.send("Accessibility.getFullAXTree")["nodes"]
    names: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            names.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("button", "link", "slider", "spinbutton", "radio", "image", "table", "heading", "form", "region"):
        assert names[role], f"there is no {role}"
        assert all(names[role]), f"a {role} has no name"
        assert len(set(names[role])) == len(names[role]), f"of {role} two have the same name"
    assert len(names["spinbutton"]) == len(names["slider"]) == 9
    assert names["radio"] == ["Code 1", "Code 2"]
    assert "Sex" in names["group"]
    assert "Body mass index kg/m²" in names["spinbutton"]
    [drawing] = names["image"]
    assert page.text("#prediction") in drawing
    assert page.text("#interval") in drawing
    assert names["status"]


def test_screen_reader_hears_the_answer_once_the_hand_rests(visit: Visiting) -> None:
    page = visit(opened=False)
    page.page.clock.install()
    page.open()
    page.page.clock.run_for(1200)
    assert page.text("#status").startswith("Prediction ")
    page.page.evaluate(
        "() => { window.said = []; new MutationObserver(() => said.push(document.getElementById('status').textContent))"
        ".observe(document.getElementById('status'), { childList: true }); }"
    )
    page.page.clock.pause_at(page.page.evaluate("() => Date.now() + 1000"))
    page.page.locator("#bmi-slider").focus()
    for _ in range(6):
        page.page.keyboard.press("ArrowRight")
        page.page.clock.run_for(300)
        page.wait()
    assert page.page.evaluate("() => said") == []
    page.page.clock.run_for(1200)
    [said] = page.page.evaluate("() => said")
    assert said == f"Prediction {page.text('#prediction')} ({page.text('#interval')})."


@pytest.mark.parametrize(("wish", "seconds"), [("reduce", 0), ("no-preference", 0.18)])
def test_nothing_glides_for_those_who_do_not_want_it(visit: Visiting, wish: str, seconds: float) -> None:
    page = visit(reduced_motion=wish)
    duration = page.page.locator("#outcomes .band").evaluate(
        "element => parseFloat(getComputedStyle(element).transitionDuration)"
    )
    assert duration == seconds
