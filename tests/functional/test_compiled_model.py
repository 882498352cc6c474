"""LiteRT by its C API: rows in order, other networks refused with a reason, and all memory given back."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from lambda_app.errors import BundleError
from lambda_app.model.compiled_model import CompiledModel
from lambda_app.model.litert import LiteRtRuntime
from lambda_app.model.litert_api import LiteRtError
from local.aws_services import REPOSITORY
from tests.bundles import Registry

FOLDS = 10
ROWS = [[0.1 * column for column in range(10)]] * 33

Answer = Callable[..., Mapping[str, Any]]
Convert = Callable[..., bytes]

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
    for row in (ROWS[0][:9], [*ROWS[0], 0.0]):
        with pytest.raises(ValueError, match="size"):
            model.run([row])


@pytest.mark.parametrize("damaged", [b"", b"not a model", b"\0" * 1000])
def test_file_without_a_network_is_refused(damaged: bytes) -> None:
    with pytest.raises(LiteRtError, match="CreateModelFromBuffer failed with status"):
        CompiledModel(damaged, outputs=2)


def test_damaged_network_is_refused_or_answers_and_ends_nothing(bundle: Path) -> None:
    command = [sys.executable, "-c", DAMAGE, str(bundle / "model.tflite")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 30 <= int(done.stdout) < 100


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose /proc tells the memory of a process")
def test_memory_of_a_model_is_given_back(content: bytes) -> None:
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


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Make a .tflite file of a TensorFlow function of rows, with a signature for each number of rows."""

    def convert_function(
        answer: Answer, *, rows: tuple[int, ...] = (1,), quantised: bool = False, **kinds: Any
    ) -> bytes:
        module = tf.Module()
        signatures = {}
        for count in rows:
            specs = {
                name: tf.TensorSpec((count, 10), kind, name=name)
                for name, kind in (kinds or {"measurements": tf.float32}).items()
            }
            function = tf.function(lambda **inputs: answer(*inputs.values()))
            signatures[f"rows_{count}"] = function.get_concrete_function(**specs)
        tf.saved_model.save(module, str(tmp_path), signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path), signature_keys=[*signatures])
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = draw_rows
            converter.inference_input_type = converter.inference_output_type = tf.int8
        return bytes(converter.convert())

    return convert_function


def draw_rows() -> Iterator[list[Any]]:
    generator = np.random.default_rng(0)
    for _ in range(20):
        yield [generator.normal(size=(1, 10)).astype(np.float32)]


def sum_up(rows: Any) -> Any:
    return tf.reduce_sum(rows, axis=1, keepdims=True)


def multiply(rows: Any) -> dict[str, Any]:
    """As ours: a number for each row, and one of each fold."""
    weights = tf.constant(np.linspace(-1, 1, 10 * FOLDS).reshape(10, FOLDS), tf.float32)
    return {"a": rows @ weights, "b": sum_up(rows)}


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_outputs_are_distinguished_by_their_width_in_any_order(names: str, convert: Convert) -> None:
    model = CompiledModel(convert(lambda rows: dict(zip(names, multiply(rows).values(), strict=True))), outputs=2)
    assert (model.input_width, model.output_widths) == (10, [1, FOLDS])
    [[total]], [folds] = model.run([[1.0] * 10])
    assert (total, len(folds)) == (10, FOLDS)


def cast_output(kind: Any) -> Answer:
    return lambda rows: {"a": multiply(rows)["a"], "b": tf.cast(sum_up(rows), kind)}


def multiply_cast(rows: Any) -> dict[str, Any]:
    return multiply(tf.cast(rows, tf.float32))


def multiply_less(rows: Any) -> dict[str, Any]:
    return {"a": multiply(rows)["a"][:, : FOLDS - len(rows)], "b": sum_up(rows)}


@pytest.mark.parametrize(
    ("answer", "given", "reason"),
    [
        *(
            (cast_output(kind), {}, f"an output of the network is of {kind.name}, not of float32")
            for kind in (tf.int32, tf.int64, tf.float64, tf.float16, tf.bool)
        ),
        *(
            (multiply_cast, {"rows_": kind}, f"an input of the network is of {kind.name}, not of float32")
            for kind in (tf.int32, tf.float64)
        ),
        (multiply, {"quantised": True}, "an input of the network is of int8, not of float32"),
        (lambda rows: {"a": rows}, {}, "the network has 1 outputs, not 2"),
        (lambda rows: {**multiply(rows), "c": rows * 2}, {}, "the network has 3 outputs, not 2"),
        (lambda rows: {"a": rows + 1, "b": rows * 2}, {}, "two outputs of the network have the same width"),
        (lambda rows: {"a": rows[:, tf.newaxis] * 2, "b": sum_up(rows)}, {}, "an input or output .* is not of rows"),
        (lambda rows: {"a": tf.tile(rows, (2, 1)), "b": sum_up(rows)}, {}, "an output .* has not a row for each"),
        (
            lambda rows, others: multiply(rows + others),
            {"rows_": tf.float32, "others": tf.float32},
            "the network has 2 inputs, not 1",
        ),
        (multiply, {"rows": (32,)}, "no signature for a single row"),
        (multiply_less, {"rows": (1, 2)}, "the signatures of the network differ in more than their number of rows"),
    ],
)
def test_network_unlike_ours_is_refused(answer: Answer, given: dict[str, Any], reason: str, convert: Convert) -> None:
    with pytest.raises(LiteRtError, match=reason):
        CompiledModel(convert(answer, **given), outputs=2)


def test_network_without_one_number_for_each_row_is_refused(convert: Convert) -> None:
    content = convert(lambda rows: {"a": rows * 2, "b": rows[:, :2] + 1})
    scaler = json.dumps({"mean": [0] * 10, "scale": [1] * 10}).encode()
    with pytest.raises(ValueError, match=r"the network of model\.tflite does not map rows .* to one number each"):
        LiteRtRuntime({"model.tflite": content, "scaler.json": scaler})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda rows: {**multiply(rows), "a": multiply(rows)["a"] * np.nan}, "PredictionError: .* not a finite number"),
        (lambda rows: {**multiply(rows), "b": sum_up(rows) * np.inf}, "PredictionError: .* not a finite number"),
        (
            lambda rows: {**multiply(rows), "a": multiply(rows)["a"][:, 1:]},
            "ValueError: the network has 9 folds, interv",
        ),
        (cast_output(tf.int32), "LiteRtError: an output .* is of int32"),
    ],
)
def test_reason_is_in_the_error_of_the_version(
    answer: Answer, reason: str, convert: Convert, registry: Registry
) -> None:
    registry.replace_file("model.tflite", convert(answer))
    with pytest.raises(BundleError, match=f"of {registry.version} cannot be loaded: {reason}"):
        registry.load()
