"""The design's import directions, read from the sources."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# handler → http → service → {model, log} → {features, errors, settings}; a module may import its own layer and below.
LAYERS = {
    "lambda_app.handler": 4,
    "lambda_app.startup": 0,
    "lambda_app.http": 3,
    "lambda_app.service": 2,
    "lambda_app.telemetry": 1,
    "lambda_app.aws": 0,
    "lambda_app.network": 0,
    "lambda_app.model": 1,
    "lambda_app.log": 1,
    "lambda_app.table": 0,
    "lambda_app.project": 0,
    "lambda_app.errors": 0,
    "lambda_app.settings": 0,
    "lambda_app": 0,
}

HEAVY = {"tensorflow", "keras", "sklearn", "joblib", "matplotlib", "h5py", "scipy"}
OUR_PACKAGES = {"lambda_app", "training", "local", "deploy", "benchmarks"}


def list_modules(package: str) -> list[tuple[str, Path]]:
    """Every module below a package as (dotted name, path)."""
    modules = []
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        modules.append((".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return modules


def read_imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions and for type checking alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module or ""


def find_layer(module: str) -> str:
    """The longest layer name that the module lies in."""
    return max((name for name in LAYERS if module == name or module.startswith(f"{name}.")), key=len)


@pytest.mark.parametrize(("module", "path"), list_modules("lambda_app"))
def test_imports_go_one_way(module: str, path: Path) -> None:
    own = find_layer(module)
    assert own != "lambda_app" or module == "lambda_app", f"{module} has no place in LAYERS"
    for imported in read_imports(path):
        if imported.split(".")[0] != "lambda_app":
            continue
        other = find_layer(imported)
        assert LAYERS[other] <= LAYERS[own], f"{module} imports {imported}, which lies above it"
        if {own, other} == {"lambda_app.model", "lambda_app.log"}:
            pytest.fail(f"{module} imports {imported}: model and log know nothing of each other")


@pytest.mark.parametrize(("module", "path"), list_modules("lambda_app"))
def test_lambda_app_stays_light(module: str, path: Path) -> None:
    imported = {name.split(".")[0] for name in read_imports(path)}
    assert not imported & (OUR_PACKAGES - {"lambda_app"})
    if module != "lambda_app.model.tensorflow":
        assert not imported & HEAVY


@pytest.mark.parametrize(("module", "path"), list_modules("training"))
def test_training_does_not_know_where_its_models_are_served(module: str, path: Path) -> None:
    assert not {"local", "deploy"} & {name.split(".")[0] for name in read_imports(path)}


@pytest.mark.parametrize(("module", "path"), list_modules("local"))
def test_the_local_stack_does_not_know_of_deployments(module: str, path: Path) -> None:
    assert "deploy" not in {name.split(".")[0] for name in read_imports(path)}


@pytest.mark.parametrize(("module", "path"), list_modules("deploy"))
def test_a_deployment_looks_at_the_service_from_outside(module: str, path: Path) -> None:
    ours = {name for name in read_imports(path) if name.split(".")[0] in OUR_PACKAGES - {"deploy"}}
    assert not {name for name in ours if not name.startswith("training.")} - {"local.call", "local.errors"}


@pytest.mark.parametrize(
    ("module", "path"), [*list_modules("training"), *list_modules("local"), *list_modules("deploy")]
)
def test_nobody_knows_the_benchmarks(module: str, path: Path) -> None:
    assert "benchmarks" not in {name.split(".")[0] for name in read_imports(path)}


@pytest.mark.parametrize(("module", "path"), list_modules("benchmarks/variants"))
def test_the_functions_to_compare_with_have_nothing_of_ours(module: str, path: Path) -> None:
    assert not {name.split(".")[0] for name in read_imports(path)} & OUR_PACKAGES


def test_only_settings_reads_the_environment() -> None:
    readers = [
        module
        for module, path in list_modules("lambda_app")
        if "os.environ" in (text := path.read_text(encoding="utf-8")) or "os.getenv" in text
    ]
    # handler hands the environment to Settings.from_env and reads nothing itself.
    assert readers == ["lambda_app.handler"]
