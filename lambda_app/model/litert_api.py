"""The part of LiteRT's C API that runs a network: functions, structures and constants of litert/c/*.h, 2.3.

Another version may change them, so pyproject.toml pins LiteRT to 2.3. The tests call the real library.
"""

import ctypes
import sys
from collections.abc import Callable
from ctypes import byref, c_bool, c_char_p, c_int, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import ai_edge_litert

_AUTO_REGISTER_ACCELERATORS, _MINIMUM_LOG_SEVERITY = 24, 25
_INTEGER, FLOAT32, HOST_MEMORY, CPU, _ERROR = 2, 1, 1, 1, 3
_MAXIMUM_RANK = 8
# Names of constants in the headers, for error texts.
_STATUS_NAMES = {1: "invalid argument", 2: "out of memory", 3: "runtime failure", 5: "unsupported", 501: "not a model"}
ELEMENT_NAMES = {2: "int32", 3: "uint8", 4: "int64", 6: "bool", 7: "int16", 9: "int8", 10: "float16", 11: "float64"}


class LiteRtError(Exception):
    """A call of LiteRT failed, or the network cannot be served; the text says which."""


class _Value(ctypes.Structure):
    _fields_ = (("type", c_int), ("integer", c_int64))


class _Option(ctypes.Structure):
    _fields_ = (("tag", c_int), ("value", _Value))


class Layout(ctypes.Structure):
    _fields_ = (
        ("rank", c_uint32, 7),
        ("has_strides", c_uint32, 1),
        ("dimensions", c_int32 * _MAXIMUM_RANK),
        ("strides", c_uint32 * _MAXIMUM_RANK),
    )


class TensorType(ctypes.Structure):
    _fields_ = (("element_type", c_int), ("layout", Layout))


def _check(status: int, function: Any, _: object) -> None:
    if status != 0:
        reason = f" ({_STATUS_NAMES[status]})" if status in _STATUS_NAMES else ""
        raise LiteRtError(f"{function.__name__} failed with status {status}{reason}")


_FILE = "libLiteRt.dylib" if sys.platform == "darwin" else "libLiteRt.so"
_LIBRARY = ctypes.CDLL(str(Path(ai_edge_litert.__path__[0], _FILE)))


def _declare(name: str, *arguments: Any) -> Callable[..., None]:
    function = getattr(_LIBRARY, f"LiteRt{name}")
    function.argtypes, function.restype, function.errcheck = arguments, c_int, _check
    return function  # type: ignore[no-any-return]


def _declare_destroyer(name: str) -> Callable[[c_void_p], None]:
    function = getattr(_LIBRARY, f"LiteRtDestroy{name}")
    function.argtypes, function.restype = (c_void_p,), None
    return function  # type: ignore[no-any-return]


_create_environment = _declare("CreateEnvironment", c_int, c_void_p, c_void_p)
create_model = _declare("CreateModelFromBuffer", c_void_p, c_char_p, c_size_t, c_void_p)
count_signatures = _declare("GetNumModelSignatures", c_void_p, c_void_p)
get_signature = _declare("GetModelSignature", c_void_p, c_size_t, c_void_p)
count_inputs = _declare("GetNumSignatureInputs", c_void_p, c_void_p)
count_outputs = _declare("GetNumSignatureOutputs", c_void_p, c_void_p)
get_input = _declare("GetSignatureInputTensorByIndex", c_void_p, c_size_t, c_void_p)
get_output = _declare("GetSignatureOutputTensorByIndex", c_void_p, c_size_t, c_void_p)
get_type = _declare("GetRankedTensorType", c_void_p, c_void_p)
create_options = _declare("CreateOptions", c_void_p)
set_accelerators = _declare("SetOptionsHardwareAccelerators", c_void_p, c_int)
compile_model = _declare("CreateCompiledModel", c_void_p, c_void_p, c_void_p, c_void_p)
get_input_layout = _declare("GetCompiledModelInputTensorLayout", c_void_p, c_size_t, c_size_t, c_void_p)
get_output_layouts = _declare("GetCompiledModelOutputTensorLayouts", c_void_p, c_size_t, c_size_t, c_void_p, c_bool)
create_buffer = _declare("CreateManagedTensorBuffer", c_void_p, c_int, c_void_p, c_size_t, c_void_p)
get_memory = _declare("GetTensorBufferHostMemory", c_void_p, c_void_p)
run_model = _declare("RunCompiledModel", c_void_p, c_size_t, c_size_t, c_void_p, c_size_t, c_void_p)
destroy_model = _declare_destroyer("Model")
destroy_options = _declare_destroyer("Options")
destroy_compiled_model = _declare_destroyer("CompiledModel")
destroy_buffer = _declare_destroyer("TensorBuffer")


@cache
def find_environment() -> c_void_p:
    """Return LiteRT's state of this process. The option skips accelerators, because Lambda has none."""
    options = (_Option * 2)(
        _Option(_AUTO_REGISTER_ACCELERATORS, _Value(_INTEGER, CPU)),
        _Option(_MINIMUM_LOG_SEVERITY, _Value(_INTEGER, _ERROR)),
    )
    return create(_create_environment, len(options), options)


def create(function: Callable[..., None], *arguments: Any) -> c_void_p:
    handle = c_void_p()
    function(*arguments, byref(handle))
    return handle


def count(function: Callable[..., None], handle: c_void_p) -> int:
    count = c_size_t()
    function(handle, byref(count))
    return count.value
