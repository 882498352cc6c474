"""The packages of each function, in build/bench: a Python without those of .venv, and packages as in the image."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.variant import ROOT, Variant

DIRECTORY = ROOT / "build" / "bench"


def make_client() -> Path:
    """The Python that runs all functions; it has the runtime's client and nothing else, as AWS's base image does."""
    directory = DIRECTORY / "client"
    python = directory / "bin" / "python"
    lock = _find_lock("bench-client")
    if not _is_current(directory, lock):
        shutil.rmtree(directory, ignore_errors=True)
        venv.create(directory, with_pip=False, symlinks=True)
        _install(lock, "--python", str(python))
        _compile(python, directory / "lib")
        _stamp(directory, lock)
    return python


def make_packages(variant: Variant, python: Path) -> Path:
    """The directory of the packages and the code, with bytecode whose sources Python does not look at.

    Functions with the same lock share it, and have the same code.
    """
    directory = DIRECTORY / variant.lock
    packages = directory / "packages"
    lock = _find_lock(variant.lock)
    if not has_packages(variant):
        shutil.rmtree(directory, ignore_errors=True)
        _install(lock, "--python", str(python), "--target", str(packages))
        shutil.rmtree(packages / "bin", ignore_errors=True)
        _compile(python, packages)
        _stamp(directory, lock)
    for source in variant.code:
        code = packages / source.name
        # A function that runs meanwhile keeps what it has, unless it is to change.
        if _read_code(code) != _read_code(source):
            _copy_code(source, code)
        _compile(python, code)
    return packages


def has_packages(variant: Variant) -> bool:
    """True when they were made from the present lock."""
    return _is_current(DIRECTORY / variant.lock, _find_lock(variant.lock))


def measure_size_mb(packages: Path) -> float:
    """The size of all files, as `docker history` would count them."""
    return sum(path.stat().st_size for path in packages.rglob("*") if path.is_file()) / 1e6


def _find_lock(name: str) -> Path:
    return ROOT / "requirements" / f"{name}.txt"


def _is_current(directory: Path, lock: Path) -> bool:
    stamp = directory / "installed.txt"
    return stamp.exists() and stamp.read_text() == _describe(lock)


def _stamp(directory: Path, lock: Path) -> None:
    # Written last: where it is missing, the directory is half-made and is made again.
    (directory / "installed.txt").write_text(_describe(lock))


def _describe(lock: Path) -> str:
    # Bytecode is of one Python.
    return f"# {sys.version}\n{lock.read_text()}"


def _install(lock: Path, *where: str) -> None:
    # uv writes no bytecode, and links files to those that it has already where pip would copy gigabytes.
    uv = str(Path(sys.executable).with_name("uv"))
    _run([uv, "pip", "sync", "--quiet", "--require-hashes", "--no-build", *where, str(lock)])


def _read_code(path: Path) -> dict[Path, bytes]:
    paths = path.rglob("*") if path.is_dir() else [path]
    files = [each for each in paths if each.is_file() and each.parent.name != "__pycache__"]
    return {each.relative_to(path): each.read_bytes() for each in files}


def _copy_code(source: Path, target: Path) -> None:
    if source.is_file():
        shutil.copy(source, target)
        return
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))


def _compile(python: Path, path: Path) -> None:
    """As Dockerfile.lambda does: without accepted bytecode a cold start would measure the compiler."""
    _run([str(python), "-m", "compileall", "-q", "-j", "0", "-f", "--invalidation-mode", "unchecked-hash", str(path)])


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:3])} failed: {(done.stderr + done.stdout).strip()}")
