"""Networks that LiteRT runs and that are none of ours: each is refused with what is wrong with it."""

import json
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
from tests.bundles import Registry

FOLDS = 10

Answer = Callable[[Any], Mapping[str, Any]]
Convert = Callable[..., bytes]


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """A .tflite file of what TensorFlow does with rows of measurements, with a signature for each number of rows."""

    def convert_function(
        answer: Answer, *, rows: tuple[int, ...] = (1,), quantised: bool = False, **given: Any
    ) -> bytes:
        spec = given or {"measurements": tf.float32}
        module = tf.Module()
        signatures = {}
        for count in rows:
            specs = {name: tf.TensorSpec((count, 10), kind, name=name) for name, kind in spec.items()}
            function = tf.function(lambda **inputs: answer(*inputs.values()))
            signatures[f"rows_{count}"] = function.get_concrete_function(**specs)
        tf.saved_model.save(module, str(tmp_path), signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path), signature_keys=[*signatures])
        if quantised:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = draw_rows
            converter.inference_input_type = converter.inference_output_type = tf.int8
        content: bytes = converter.convert()
        return content

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
def test_the_outputs_are_told_apart_by_their_width_whatever_their_order(names: str, convert: Convert) -> None:
    model = CompiledModel(convert(lambda rows: dict(zip(names, multiply(rows).values(), strict=True))), outputs=2)
    assert (model.input_width, model.output_widths) == (10, [1, FOLDS])
    [[total]], [folds] = model.run([[1.0] * 10])
    assert (total, len(folds)) == (10, FOLDS)


@pytest.mark.parametrize("kind", [tf.int32, tf.int64, tf.float64, tf.float16, tf.bool])
def test_an_output_of_another_type_is_refused(kind: Any, convert: Convert) -> None:
    content = convert(lambda rows: {"a": multiply(rows)["a"], "b": tf.cast(sum_up(rows), kind)})
    with pytest.raises(LiteRtError, match=f"an output of the network is of {kind.name}, not of float32"):
        CompiledModel(content, outputs=2)


@pytest.mark.parametrize("kind", [tf.int32, tf.float64])
def test_an_input_of_another_type_is_refused(kind: Any, convert: Convert) -> None:
    content = convert(lambda rows: multiply(tf.cast(rows, tf.float32)), measurements=kind)
    with pytest.raises(LiteRtError, match=f"an input of the network is of {kind.name}, not of float32"):
        CompiledModel(content, outputs=2)


def test_a_network_quantised_to_eight_bits_is_refused(convert: Convert) -> None:
    with pytest.raises(LiteRtError, match="an input of the network is of int8, not of float32"):
        CompiledModel(convert(multiply, quantised=True), outputs=2)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda rows: {"a": rows}, "the network has 1 outputs, not 2"),
        (lambda rows: {**multiply(rows), "c": rows * 2}, "the network has 3 outputs, not 2"),
        (lambda rows: {"a": rows + 1, "b": rows * 2}, "two outputs of the network have the same width"),
        (lambda rows: {"a": rows[:, tf.newaxis] * 2, "b": sum_up(rows)}, "an input or output .* is not of rows"),
        (lambda rows: {"a": tf.tile(rows, (2, 1)), "b": sum_up(rows)}, "an output .* has not a row for each"),
    ],
)
def test_outputs_of_another_shape_or_number_are_refused(answer: Answer, reason: str, convert: Convert) -> None:
    with pytest.raises(LiteRtError, match=reason):
        CompiledModel(convert(answer), outputs=2)


def test_a_network_of_two_inputs_is_refused(convert: Convert) -> None:
    content = convert(lambda rows, others: multiply(rows + others), rows_=tf.float32, others=tf.float32)
    with pytest.raises(LiteRtError, match="the network has 2 inputs, not 1"):
        CompiledModel(content, outputs=2)


def test_a_network_without_a_signature_for_one_row_is_refused(convert: Convert) -> None:
    with pytest.raises(LiteRtError, match="no signature for a single row"):
        CompiledModel(convert(multiply, rows=(32,)), outputs=2)


def test_signatures_that_differ_in_more_than_their_rows_are_refused(convert: Convert) -> None:
    def answer(rows: Any) -> dict[str, Any]:
        return {"a": multiply(rows)["a"][:, : FOLDS - len(rows)], "b": sum_up(rows)}

    with pytest.raises(LiteRtError, match="the signatures of the network differ in more than their number of rows"):
        CompiledModel(convert(answer, rows=(1, 2)), outputs=2)


def test_a_network_whose_narrowest_output_is_no_number_a_row_is_refused(convert: Convert) -> None:
    content = convert(lambda rows: {"a": rows * 2, "b": rows[:, :2] + 1})
    scaler = json.dumps({"mean": [0] * 10, "scale": [1] * 10}).encode()
    with pytest.raises(ValueError, match=r"the network of model\.tflite does not map rows .* to one number each"):
        LiteRtRuntime({"model.tflite": content, "scaler.json": scaler})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            lambda rows: {"a": multiply(rows)["a"] * np.nan, "b": sum_up(rows)},
            "PredictionError: .* not a finite number",
        ),
        (
            lambda rows: {"a": multiply(rows)["a"], "b": sum_up(rows) * np.inf},
            "PredictionError: .* not a finite number",
        ),
        (
            lambda rows: {"a": multiply(rows)["a"][:, 1:], "b": sum_up(rows)},
            "ValueError: the network has 9 folds, interv",
        ),
        (lambda rows: {"a": rows, "b": tf.cast(sum_up(rows), tf.int32)}, "LiteRtError: an output .* is of int32"),
    ],
)
def test_the_reason_reaches_whoever_asks_why_no_model_is_loaded(
    answer: Answer, reason: str, convert: Convert, registry: Registry
) -> None:
    registry.replace_file("model.tflite", convert(answer))
    with pytest.raises(BundleError, match=f"of {registry.version} cannot be loaded: {reason}"):
        registry.load()
