"""A network that runs in LiteRT, through the C API of its library.

The Python interface of this package needs NumPy. Importing it would take an eighth of a cold start.
"""

import ctypes
import weakref
from collections.abc import Sequence
from contextlib import ExitStack
from ctypes import byref, c_void_p
from dataclasses import dataclass

from lambda_app.model import litert_api as litert
from lambda_app.model.litert_api import LiteRtError


@dataclass(frozen=True)
class _Tensor:
    """Memory of LiteRT, (rows, width), and its buffer."""

    buffer: c_void_p
    rows: int
    width: int
    values: "ctypes.Array[ctypes.c_float]"

    def read(self) -> list[list[float]]:
        values = self.values[:]
        return [values[start : start + self.width] for start in range(0, len(values), self.width)]


@dataclass(frozen=True)
class _Signature:
    """A way to run the network, for a fixed number of rows. `answers` are the outputs by their width."""

    index: int
    input: _Tensor
    answers: Sequence[_Tensor]
    inputs: "ctypes.Array[c_void_p]"
    outputs: "ctypes.Array[c_void_p]"


class CompiledModel:
    """A network from rows to one or more outputs, in float32, on one core. Not safe for two threads.

    `content` is a .tflite file with a signature for each supported number of rows; one row is required. `input_width`
    is the width of the rows, `output_widths` the widths of the outputs, in ascending order and all different. Raises
    LiteRtError.
    """

    def __init__(self, content: bytes, outputs: int) -> None:
        # LiteRT checks the structure of the file, and uses the weights without a copy.
        self._content = content
        with ExitStack() as created:
            model = litert.create(litert.create_model, litert.find_environment(), content, len(content))
            created.callback(litert.destroy_model, model)
            options = litert.create(litert.create_options)
            created.callback(litert.destroy_options, options)
            litert.set_accelerators(options, litert.CPU)
            self._model = litert.create(litert.compile_model, litert.find_environment(), model, options)
            created.callback(litert.destroy_compiled_model, self._model)
            indices = range(litert.count(litert.count_signatures, model))
            for index in indices:
                _require_float32(litert.create(litert.get_signature, model, index), outputs)
            signatures = [self._open_signature(index, outputs, created) for index in indices]
            self._signatures = sorted(signatures, key=lambda signature: signature.input.rows, reverse=True)
            if not signatures or self._signatures[-1].input.rows != 1:
                raise LiteRtError("the network has no signature for a single row")
            shapes = {(each.input.width, *(answer.width for answer in each.answers)) for each in signatures}
            if len(shapes) != 1:
                raise LiteRtError("the signatures of the network differ in more than their number of rows")
            [(self.input_width, *self.output_widths)] = shapes
            if len({*self.output_widths}) != outputs:
                raise LiteRtError("two outputs of the network have the same width, so they cannot be distinguished")
            weakref.finalize(self, created.pop_all().close).atexit = False

    def run(self, rows: Sequence[Sequence[float]]) -> list[list[list[float]]]:
        """Return the values of each output for the rows, the narrowest output first."""
        answers: list[list[list[float]]] = [[] for _ in self._signatures[0].answers]
        done = 0
        while done < len(rows):
            signature = next(signature for signature in self._signatures if signature.input.rows <= len(rows) - done)
            part = rows[done : done + signature.input.rows]
            signature.input.values[:] = [value for row in part for value in row]
            litert.run_model(
                self._model,
                *(signature.index, len(signature.inputs), signature.inputs),
                *(len(signature.outputs), signature.outputs),
            )
            for answer, tensor in zip(answers, signature.answers, strict=True):
                answer.extend(tensor.read())
            done += len(part)
        return answers

    def _open_signature(self, index: int, outputs: int, created: ExitStack) -> _Signature:
        layout, layouts = litert.Layout(), (litert.Layout * outputs)()
        litert.get_input_layout(self._model, index, 0, byref(layout))
        litert.get_output_layouts(self._model, index, outputs, layouts, False)
        rows = _open_tensor(layout, created)
        answers = [_open_tensor(each, created) for each in layouts]
        if any(answer.rows != rows.rows for answer in answers):
            raise LiteRtError("an output of the network has not a row for each of the input's")
        return _Signature(
            index,
            rows,
            sorted(answers, key=lambda answer: answer.width),
            (c_void_p * 1)(rows.buffer),
            (c_void_p * outputs)(*(answer.buffer for answer in answers)),
        )


def _require_float32(signature: c_void_p, outputs: int) -> None:
    """Refuse other types: their bytes would be read as wrong numbers without an error."""
    sides = (
        ("input", 1, litert.count_inputs, litert.get_input),
        ("output", outputs, litert.count_outputs, litert.get_output),
    )
    for side, wanted, count_tensors, get_tensor in sides:
        found = litert.count(count_tensors, signature)
        if found != wanted:
            raise LiteRtError(f"the network has {found} {side}s, not {wanted}")
        for position in range(found):
            tensor_type = litert.TensorType()
            litert.get_type(litert.create(get_tensor, signature, position), byref(tensor_type))
            element = tensor_type.element_type
            if element != litert.FLOAT32:
                name = litert.ELEMENT_NAMES.get(element, f"element type {element}")
                raise LiteRtError(f"an {side} of the network is of {name}, not of float32")


def _open_tensor(layout: litert.Layout, created: ExitStack) -> _Tensor:
    if layout.rank != 2 or min(layout.dimensions[:2]) < 1:
        raise LiteRtError("an input or output of the network is not of rows")
    rows, width = layout.dimensions[:2]
    tensor_type = litert.TensorType(litert.FLOAT32, layout)
    size = rows * width * ctypes.sizeof(ctypes.c_float)
    buffer = litert.create(
        litert.create_buffer, litert.find_environment(), litert.HOST_MEMORY, byref(tensor_type), size
    )
    created.callback(litert.destroy_buffer, buffer)
    memory = litert.create(litert.get_memory, buffer).value
    if memory is None:
        raise LiteRtError("LiteRT has no memory for a buffer")
    return _Tensor(buffer, rows, width, (ctypes.c_float * (rows * width)).from_address(memory))
