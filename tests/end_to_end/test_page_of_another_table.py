"""The page of a service for another table: types of features, labels, and targets of another scale."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.browsing import Visit

Visiting = Callable[..., Visit]


def test_a_whole_number_is_typed_and_slid_in_whole_numbers(visit: Visiting) -> None:
    page = visit(opened=False)
    page.change_answers("model", lambda model: model["features"][0].update(type="integer", unit="", typical=49.5))
    page.open()
    assert page.sent["age"] == 50
    field = page.page.locator("#age-number")
    assert field.get_attribute("step") == "1"
    page.page.locator("#age-slider").fill("40.4")
    page.wait()
    assert page.sent["age"] == 40
    page.enter(age=30.5)
    assert page.text("#age-message") == "Age must be a whole number from 0 to 120"
    assert page.sent["age"] == 40


def test_choices_are_offered_by_their_labels(visit: Visiting) -> None:
    labels = {1: "Primary school", 2: "College", 3: "A degree <of> some & any kind", 7: "Unknown"}
    choices = [{"value": value, "label": label} for value, label in labels.items()]
    page = visit(opened=False, viewport={"width": 390, "height": 844})
    page.change_answers("model", lambda model: model["features"][1].update(choices=choices, typical=1.5))
    page.open()
    assert page.page.locator("#field-sex .choices label").all_inner_texts() == [*labels.values()]
    # The median of codes may be none.
    assert page.sent["sex"] == 1
    page.page.get_by_label(labels[2]).check()
    page.wait()
    assert page.sent["sex"] == 2
    assert labels[2] in page.text("[data-name=sex]")
    card = page.box("#case")
    for index in range(len(labels)):
        assert page.box(f"#field-sex .choices label >> nth={index}")["right"] <= card["right"]


@pytest.mark.parametrize(
    ("factor", "unit", "decimals"), [(0.001, "", 3), (0.01, "log", 2), (1000, "USD", 0), (-0.1, "kg", 1)]
)
def test_target_of_another_scale_is_shown_with_digits_that_mean_something(
    visit: Visiting, factor: float, unit: str, decimals: int
) -> None:
    def scale_model(model: dict[str, Any]) -> None:
        model.update(case="house", cases="houses", target={"name": "price", "meaning": "What it costs", "unit": unit})
        outcomes = model["outcomes"]
        minimum, maximum = sorted(factor * outcomes[name] for name in ("minimum", "maximum"))
        edges = sorted(factor * edge for edge in outcomes["bin_edges"])
        outcomes.update(minimum=minimum, maximum=maximum, mean=factor * outcomes["mean"], bin_edges=edges)

    def scale_answer(answer: dict[str, Any]) -> None:
        lower, upper = sorted(factor * answer["interval"][name] for name in ("lower", "upper"))
        answer["interval"].update(lower=lower, upper=upper)
        answer.update({name: factor * answer[name] for name in ("prediction", "base_value")})
        answer["contributions"] = {name: factor * push for name, push in answer["contributions"].items()}

    page = visit(opened=False)
    page.change_answers("model", scale_model)
    page.change_answers("explain", scale_answer)
    page.open()
    answer = page.ask("explain", page.sent)
    expected = factor * answer["prediction"]
    assert page.number("#prediction") == pytest.approx(expected, abs=0.51 * 10**-decimals)
    assert page.number("#prediction") != pytest.approx(expected, rel=1e-12)
    assert page.number("#sum") == pytest.approx(expected, abs=0.051 * 10**-decimals)
    assert page.text("#pushes-title") == (f"Push ({unit})" if unit else "Push")
    assert page.text("#target").startswith(f"What it costs ({unit}); " if unit else "What it costs; ")
    assert "such houses fall in this range" in page.text("#coverage")
    drawing, band = page.box("#outcomes"), page.box("#outcomes .band")
    assert drawing["x"] <= band["x"] < band["right"] <= drawing["right"]
    ticks = page.page.locator("#outcomes text[text-anchor=middle].tick")
    assert 4 <= ticks.count() <= 16
    boxes = [page.box(f"#outcomes text[text-anchor=middle].tick >> nth={index}") for index in range(ticks.count() - 1)]
    assert all(one["right"] < other["x"] for one, other in itertools.pairwise(boxes))
