"""The one model that the tests train: kept under build/ until something changes that it is made from."""

import hashlib
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from training.train import train_model

ROOT = Path(__file__).parents[1]
MODELS = Path("build", "test-models")
KEPT = ROOT / MODELS
SOURCES = ("training/*", "problem/**/*", "lambda_app/model/**/*", "lambda_app/*.py", "requirements/local.txt")


@dataclass(frozen=True)
class Trained:
    """A bundle, alone in its directory, and the file with the lines that its training printed."""

    bundle: Path
    output: Path


def find_or_train() -> Trained:
    """Train with seed 1 unless a model from the same sources and locks is kept; one process at a time."""
    KEPT.mkdir(parents=True, exist_ok=True)
    directory = find_directory(ROOT)
    output = directory / "output.txt"
    with FileLock(KEPT / "lock"):
        # Written last: a training that was interrupted left none.
        if not output.exists():
            for old in KEPT.iterdir():
                if old.is_dir():
                    shutil.rmtree(old)
            unfinished = directory / "unfinished.txt"
            directory.mkdir()
            with unfinished.open("w", encoding="utf-8") as file:
                train_model(directory / "models", seed=1, console=Console(file=file))
            unfinished.rename(output)
    [bundle] = (directory / "models").iterdir()
    return Trained(bundle, output)


def find_directory(root: Path) -> Path:
    """Return the directory for the model of this repository's sources."""
    digest = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    paths = sorted({path for pattern in SOURCES for path in root.glob(pattern)})
    for path in paths:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(str(path.relative_to(root)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return root / MODELS / digest.hexdigest()[:16]
