"""The page of `python -m training monitor` shows odd reports too."""

from tests.reports import make_report
from training.live.page import make_page


def test_feature_that_was_constant_in_the_training_has_a_single_bin() -> None:
    report = make_report()
    test = report["drift"]["tests"][0]
    test.update({"edges": [], "reference": [442], "window": [150]})
    assert test["name"] in make_page(report)
