"""A network as LiteRT runs it, by the C API of its library.

The Python of the same package imports NumPy for every call, which was an eighth of a cold start. Functions, structures
and numbers are those of the headers litert/c/*.h of LiteRT 2.3. They may change with a version, and only the tests
would tell: they ask the real library.
"""

import ctypes
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from ctypes import byref, c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ai_edge_litert

_AUTO_REGISTER_ACCELERATORS, _MINIMUM_LOG_SEVERITY = 24, 25
_INTEGER, _FLOAT32, _HOST_MEMORY, _CPU, _ERROR = 2, 1, 1, 1, 3
_MAXIMUM_RANK = 8
# Numbers of the headers in words, for the reason of a refusal.
_STATUS_NAMES = {1: "invalid argument", 2: "out of memory", 3: "runtime failure", 5: "unsupported", 501: "not a model"}
_ELEMENT_NAMES = {2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8", 10: "float16", 11: "float64"}


class LiteRtError(Exception):
    """LiteRT refused a call, or the network is none that can be served; the text says which."""


class _Value(ctypes.Structure):
    _fields_ = (("type", c_int), ("integer", c_int64))


class _Option(ctypes.Structure):
    _fields_ = (("tag", c_int), ("value", _Value))


class _Layout(ctypes.Structure):
    _fields_ = (
        ("rank", c_uint32, 7),
        ("has_strides", c_uint32, 1),
        ("dimensions", c_int32 * _MAXIMUM_RANK),
        ("strides", c_uint32 * _MAXIMUM_RANK),
    )


class _TensorType(ctypes.Structure):
    _fields_ = (("element_type", c_int), ("layout", _Layout))


def _check(status: int, function: Any, _: object) -> None:
    if status != 0:
        reason = f" ({_STATUS_NAMES[status]})" if status in _STATUS_NAMES else ""
        raise LiteRtError(f"{function.__name__} failed with status {status}{reason}")


_LIBRARY = ctypes.CDLL(
    str(Path(ai_edge_litert.__path__[0], "libLiteRt.dylib" if sys.platform == "darwin" else "libLiteRt.so"))
)


def _declare(name: str, *arguments: Any) -> Callable[..., None]:
    function = getattr(_LIBRARY, f"LiteRt{name}")
    function.argtypes, function.restype, function.errcheck = arguments, c_int, _check
    return function  # type: ignore[no-any-return]


def _declare_destroyer(name: str) -> Callable[[c_void_p], None]:
    function = getattr(_LIBRARY, f"LiteRtDestroy{name}")
    function.argtypes, function.restype = (c_void_p,), None
    return function  # type: ignore[no-any-return]


_create_environment = _declare("CreateEnvironment", c_int, c_void_p, c_void_p)
_create_model = _declare("CreateModelFromBuffer", c_void_p, c_char_p, c_size_t, c_void_p)
_count_signatures = _declare("GetNumModelSignatures", c_void_p, c_void_p)
_get_signature = _declare("GetModelSignature", c_void_p, c_size_t, c_void_p)
_count_inputs = _declare("GetNumSignatureInputs", c_void_p, c_void_p)
_count_outputs = _declare("GetNumSignatureOutputs", c_void_p, c_void_p)
_get_input = _declare("GetSignatureInputTensorByIndex", c_void_p, c_size_t, c_void_p)
_get_output = _declare("GetSignatureOutputTensorByIndex", c_void_p, c_size_t, c_void_p)
_get_type = _declare("GetRankedTensorType", c_void_p, c_void_p)
_create_options = _declare("CreateOptions", c_void_p)
_set_accelerators = _declare("SetOptionsHardwareAccelerators", c_void_p, c_int)
_compile_model = _declare("CreateCompiledModel", c_void_p, c_void_p, c_void_p, c_void_p)
_get_input_layout = _declare("GetCompiledModelInputTensorLayout", c_void_p, c_size_t, c_size_t, c_void_p)
_get_output_layouts = _declare("GetCompiledModelOutputTensorLayouts", c_void_p, c_size_t, c_size_t, c_void_p, c_bool)
_create_buffer = _declare("CreateManagedTensorBuffer", c_void_p, c_int, c_void_p, c_size_t, c_void_p)
_get_memory = _declare("GetTensorBufferHostMemory", c_void_p, c_void_p)
_run_model = _declare("RunCompiledModel", c_void_p, c_size_t, c_size_t, c_void_p, c_size_t, c_void_p)
_destroy_model = _declare_destroyer("Model")
_destroy_options = _declare_destroyer("Options")
_destroy_compiled_model = _declare_destroyer("CompiledModel")
_destroy_buffer = _declare_destroyer("TensorBuffer")


@cache
def _find_environment() -> c_void_p:
    """LiteRT's state of this process; without the option it would load accelerators for what no Lambda has."""
    options = (_Option * 2)(
        _Option(_AUTO_REGISTER_ACCELERATORS, _Value(_INTEGER, _CPU)),
        _Option(_MINIMUM_LOG_SEVERITY, _Value(_INTEGER, _ERROR)),
    )
    return _create(_create_environment, len(options), options)


def _create(function: Callable[..., None], *arguments: Any) -> c_void_p:
    handle = c_void_p()
    function(*arguments, byref(handle))
    return handle


def _count(function: Callable[..., None], handle: c_void_p) -> int:
    count = c_size_t()
    function(handle, byref(count))
    return count.value


@dataclass(frozen=True)
class _Tensor:
    """Memory of LiteRT's, (rows, width), and the buffer that it belongs to."""

    buffer: c_void_p
    rows: int
    width: int
    values: "ctypes.Array[ctypes.c_float]"

    def read(self) -> list[list[float]]:
        values = self.values[:]
        return [values[start : start + self.width] for start in range(0, len(values), self.width)]


@dataclass(frozen=True)
class _Signature:
    """One way to run the network: for so many rows, always the same. `answers` are the outputs by their width."""

    index: int
    input: _Tensor
    answers: Sequence[_Tensor]
    inputs: "ctypes.Array[c_void_p]"
    outputs: "ctypes.Array[c_void_p]"


class CompiledModel:
    """A network from rows to `outputs` kinds of rows, all of float32, on one core. Not safe for two threads at once.

    `content` is a .tflite file with a signature for each number of rows that it takes at once, one among them.
    `input_width` is that of the rows, and `output_widths` are those of the answers, the narrowest first; no two are the
    same. Raises LiteRtError.
    """

    def __init__(self, content: bytes, outputs: int) -> None:
        # LiteRT reads the weights where they are, after it has checked the structure around them.
        self._content = content
        with ExitStack() as created:
            model = _create(_create_model, _find_environment(), content, len(content))
            created.callback(_destroy_model, model)
            options = _create(_create_options)
            created.callback(_destroy_options, options)
            _set_accelerators(options, _CPU)
            self._model = _create(_compile_model, _find_environment(), model, options)
            created.callback(_destroy_compiled_model, self._model)
            indices = range(_count(_count_signatures, model))
            for index in indices:
                _require_float32(_create(_get_signature, model, index), outputs)
            signatures = [self._open_signature(index, outputs, created) for index in indices]
            self._signatures = sorted(signatures, key=lambda signature: signature.input.rows, reverse=True)
            if not signatures or self._signatures[-1].input.rows != 1:
                raise LiteRtError("the network has no signature for a single row")
            shapes = {(each.input.width, *(answer.width for answer in each.answers)) for each in signatures}
            if len(shapes) != 1:
                raise LiteRtError("the signatures of the network differ in more than their number of rows")
            [(self.input_width, *self.output_widths)] = shapes
            if len({*self.output_widths}) != outputs:
                raise LiteRtError("two outputs of the network have the same width, so none can be told from the other")
            weakref.finalize(self, created.pop_all().close).atexit = False

    def run(self, rows: Sequence[Sequence[float]]) -> list[list[list[float]]]:
        """What each output answers for the rows, the narrowest output first."""
        answers: list[list[list[float]]] = [[] for _ in self._signatures[0].answers]
        done = 0
        while done < len(rows):
            signature = next(signature for signature in self._signatures if signature.input.rows <= len(rows) - done)
            part = rows[done : done + signature.input.rows]
            signature.input.values[:] = [value for row in part for value in row]
            _run_model(
                self._model,
                *(signature.index, len(signature.inputs), signature.inputs),
                *(len(signature.outputs), signature.outputs),
            )
            for answer, tensor in zip(answers, signature.answers, strict=True):
                answer.extend(tensor.read())
            done += len(part)
        return answers

    def _open_signature(self, index: int, outputs: int, created: ExitStack) -> _Signature:
        layout, layouts = _Layout(), (_Layout * outputs)()
        _get_input_layout(self._model, index, 0, byref(layout))
        _get_output_layouts(self._model, index, outputs, layouts, False)
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
    """Else the bytes of another type would be read as numbers that look right."""
    sides = (("input", 1, _count_inputs, _get_input), ("output", outputs, _count_outputs, _get_output))
    for side, wanted, count_tensors, get_tensor in sides:
        found = _count(count_tensors, signature)
        if found != wanted:
            raise LiteRtError(f"the network has {found} {side}s, not {wanted}")
        for position in range(found):
            tensor_type = _TensorType()
            _get_type(_create(get_tensor, signature, position), byref(tensor_type))
            element = tensor_type.element_type
            if element != _FLOAT32:
                name = _ELEMENT_NAMES.get(element, f"element type {element}")
                raise LiteRtError(f"an {side} of the network is of {name}, not of float32")


def _open_tensor(layout: _Layout, created: ExitStack) -> _Tensor:
    if layout.rank != 2 or min(layout.dimensions[:2]) < 1:
        raise LiteRtError("an input or output of the network is not of rows")
    rows, width = layout.dimensions[:2]
    tensor_type = _TensorType(_FLOAT32, layout)
    size = rows * width * ctypes.sizeof(ctypes.c_float)
    buffer = _create(_create_buffer, _find_environment(), _HOST_MEMORY, byref(tensor_type), size)
    created.callback(_destroy_buffer, buffer)
    memory = _create(_get_memory, buffer).value
    if memory is None:
        raise LiteRtError("a buffer has no memory")
    return _Tensor(buffer, rows, width, (ctypes.c_float * (rows * width)).from_address(memory))
