import pytest

from tests.terraform.made import Resources, read_resources


@pytest.fixture(scope="session")
def observability(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """What the module observability makes."""
    return read_resources("observability", "observability", "alarms", tmp_path_factory.mktemp("observability"))
