"""LiteRT by its C API: what is no network is refused, whatever is in it, and what was loaded is given back."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lambda_app.model.compiled_model import CompiledModel
from lambda_app.model.litert_api import LiteRtError

ROWS = [[0.1 * column for column in range(10)]] * 33

# In a process of its own, which a wild pointer would end.
DAMAGE = """
import random, sys
from pathlib import Path
from lambda_app.model.compiled_model import CompiledModel
from lambda_app.model.litert_api import LiteRtError
content = Path(sys.argv[1]).read_bytes()
refused = 0
for seed in range(100):
    chance = random.Random(seed)
    damaged = bytearray(content[: chance.randrange(len(content))] if seed % 5 == 0 else content)
    # The structure is at both ends, the weights are between.
    span = (range(0), range(len(damaged)), range(4000), range(-30_000, 0), range(-30_000, 4000))[seed % 5]
    for _ in range(0 if seed % 5 == 0 else 1 if seed % 5 == 4 else chance.randrange(1, 20)):
        damaged[chance.choice(span)] ^= 1 << chance.randrange(8)
    try:
        CompiledModel(bytes(damaged), outputs=2).run([[0.0] * 10] * 33)
    except LiteRtError:
        refused += 1
print(refused)
"""


@pytest.fixture(scope="module")
def content(bundle: Path) -> bytes:
    return (bundle / "model.tflite").read_bytes()


def test_rows_are_answered_in_their_order(content: bytes) -> None:
    model = CompiledModel(content, outputs=2)
    rows = [[value + 0.01 * number for value in ROWS[0]] for number in range(70)]
    predicted, fold_means = model.run(rows)
    assert ([len(answer) for answer in predicted], len(fold_means)) == ([1] * 70, 70)
    for number in (0, 31, 32, 63, 64, 69):
        [[alone]], [folds] = model.run([rows[number]])
        assert predicted[number] == pytest.approx([alone], rel=1e-5)
        assert fold_means[number] == pytest.approx(folds, rel=1e-5)
    assert len({answer for [answer] in predicted}) == 70
    assert model.run([]) == [[], []]


def test_rows_of_another_width_are_refused(content: bytes) -> None:
    model = CompiledModel(content, outputs=2)
    for row in (ROWS[0][:9], [*ROWS[0], 0.0]):
        with pytest.raises(ValueError, match="size"):
            model.run([row])


@pytest.mark.parametrize("damaged", [b"", b"not a model", b"\0" * 1000])
def test_what_is_no_network_is_refused(damaged: bytes) -> None:
    with pytest.raises(LiteRtError, match="CreateModelFromBuffer failed with status"):
        CompiledModel(damaged, outputs=2)


def test_damaged_network_is_refused_or_answers_and_ends_nothing(bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", DAMAGE, str(bundle / "model.tflite")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 30 <= int(done.stdout) < 100


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose /proc tells the memory of a process")
def test_what_was_loaded_is_given_back(content: bytes) -> None:
    def read_resident_mb() -> float:
        [kibibytes] = re.findall(r"^VmRSS:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
        return int(kibibytes) / 1000

    for _ in range(5):
        CompiledModel(content, outputs=2).run(ROWS)
    before = read_resident_mb()
    for _ in range(50):
        CompiledModel(content, outputs=2).run(ROWS)
    # Each takes two megabytes and more.
    assert read_resident_mb() - before < 20
