"""Terraform itself, a copy of the sources for it to run in, and an environment that it has really made."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError

from local.aws_services import ACCOUNT, REGION
from tests.terraform.applied import STATE_BUCKET, Applied, apply_environment, connect
from tests.terraform.made import Resources, read_resources
from tests.terraform.program import Root, build_environment, copy_sources, require_terraform
from tests.terraform.server import serve_aws


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What destroys the environment comes after everything that looks at it."""
    items.sort(key=lambda item: item.path.name == "test_destroyed.py")


@pytest.fixture(scope="session")
def terraform() -> None:
    """Terraform can be run."""
    require_terraform()


@pytest.fixture(scope="session")
def terraform_environment() -> dict[str, str]:
    """What Terraform runs with; the provider comes from where the user's Terraform gets it."""
    return build_environment()


@pytest.fixture(scope="session")
def modules(
    terraform: None, terraform_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Root]:
    """A copy of a module, so that neither the tree nor another test's provider directory is touched."""
    sources = copy_sources(tmp_path_factory.mktemp("modules"))
    return lambda name: Root(sources / "modules" / name, terraform_environment)


@pytest.fixture(scope="session")
def observability(modules: Callable[[str], Root]) -> Resources:
    """What the module observability makes."""
    return read_resources(modules("observability"), "observability", "alarms")


@pytest.fixture(scope="session")
def emulated_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an AWS without anything in it."""
    log_path = tmp_path_factory.mktemp("emulated_aws") / "server.log"
    with serve_aws("tests.terraform.emulated_aws", log_path) as endpoint_url:
        yield endpoint_url


@pytest.fixture(scope="session")
def roots(
    terraform: None,
    terraform_environment: dict[str, str],
    emulated_aws: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Root]]:
    """Each environment's root by its name, in an AWS where terraform/bootstrap was applied."""
    sources = copy_sources(tmp_path_factory.mktemp("applied"))
    environment = terraform_environment | {
        "AWS_ENDPOINT_URL": emulated_aws,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    bootstrap = Root(sources / "bootstrap", environment)
    bootstrap.run("init", "-input=false", "-no-color")
    inputs = {
        "account_id": ACCOUNT,
        "region": REGION,
        "github_repository": "example/diabetes",
        "environments": '["dev","staging","prod"]',
    }
    arguments = [f"-var={name}={value}" for name, value in inputs.items()]
    with ThreadPoolExecutor() as pool:
        # The provider watches a bucket's lifecycle for most of a minute: an environment is made meanwhile.
        applying = pool.submit(bootstrap.change, "apply", *arguments)
        client = connect(emulated_aws, "s3")
        while not applying.done() and not _has_bucket(client):
            time.sleep(0.2)
        yield {path.name: Root(path, environment) for path in (sources / "environments").iterdir()}
        assert applying.result()["add"] > 0


def _has_bucket(client: object) -> bool:
    try:
        client.head_bucket(Bucket=STATE_BUCKET)  # type: ignore[attr-defined]
    except ClientError:
        return False
    return True


@pytest.fixture(scope="session")
def applied(roots: dict[str, Root], emulated_aws: str) -> Applied:
    """The environment dev, made by Terraform in the emulated AWS."""
    return apply_environment(roots["dev"], emulated_aws)
