"""Trains a linear embedding through the C interface with ctypes and numpy, without a package for Python.

usage: from_python.py LIBRARY, the path of libnearfar.so
"""

import ctypes
import sys

import numpy

INT, COUNT, REAL, POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


def struct(*members):
    return type("Struct", (ctypes.Structure,), {"_fields_": members})


# A struct with a size may end early: the library takes the defaults of the members that it lacks.
Rows = struct(("data", POINTER), ("rows", COUNT), ("cols", COUNT), ("stride", COUNT), ("scalar", INT))
Gradient = struct(*Rows._fields_, ("write", INT))
Integers = struct(("data", POINTER), ("count", COUNT))
Targets = struct(("size", COUNT), ("rule", INT), ("labels", Integers))
SupConOptions = struct(("size", COUNT), ("kernel", INT), ("matrix", Rows), ("temperature", REAL))
Result = struct(
    ("size", COUNT),
    ("values", POINTER), ("values_capacity", COUNT),
    ("step_losses", POINTER), ("step_bounds", POINTER), ("steps_capacity", COUNT),
    ("prefix_values", POINTER), ("prefixes_capacity", COUNT),
    ("value", REAL),
)  # fmt: skip
RetrievalResult = struct(
    ("size", COUNT),
    ("recall", POINTER), ("precision", POINTER), ("ndcg", POINTER), ("ks_capacity", COUNT),
    ("positives", POINTER), ("first_positive", POINTER), ("average_precision_at_r", POINTER),
    ("r_precisions", POINTER), ("average_precisions", POINTER),
    ("precision_per_query", POINTER), ("ndcg_per_query", POINTER), ("queries_capacity", COUNT),
    ("map_at_r", REAL),
)  # fmt: skip
LABELS, OVERWRITE = 1, 0  # NEARFAR_LABELS, NEARFAR_OVERWRITE

nearfar = ctypes.CDLL(sys.argv[1])
nearfar.nearfar_last_error.restype = ctypes.c_char_p
tensor_of = ctypes.pythonapi.PyCapsule_GetPointer
tensor_of.restype, tensor_of.argtypes = POINTER, [ctypes.py_object, ctypes.c_char_p]


def call(name, *arguments):
    if getattr(nearfar, "nearfar_" + name)(*arguments) != 0:
        raise ValueError(nearfar.nearfar_last_error().decode())


def made(struct_type, init):
    """A struct with the library's defaults."""
    out = struct_type()
    call(init, ctypes.byref(out), ctypes.c_size_t(ctypes.sizeof(out)))
    return out


def view(struct_type, name, array, *arguments):
    """A view of an array's memory by DLPack: no copy, and it must not outlive the array."""
    out, capsule = struct_type(), array.__dlpack__()
    call(name, POINTER(tensor_of(capsule, b"dltensor")), *arguments, ctypes.byref(out))
    return out


def rows_of(array):
    return view(Rows, "rows_of_dlpack", array)


def targets_of(labels):
    out = made(Targets, "targets_init")
    out.rule, out.labels = LABELS, view(Integers, "integers_of_dlpack", labels)
    return out


class SupCon:
    """The loss, and its gradient into an array."""

    def __init__(self, temperature):
        options = made(SupConOptions, "sup_con_options_init")
        options.temperature = temperature
        self.loss = POINTER()
        call("sup_con_create", ctypes.byref(options), ctypes.byref(self.loss))

    def __del__(self):
        nearfar.nearfar_loss_destroy(self.loss)

    def __call__(self, x, labels, dx):
        result = made(Result, "result_init")
        rows, targets = rows_of(x), targets_of(labels)
        gradient = view(Gradient, "gradient_of_dlpack", dx, INT(OVERWRITE))
        call("labelled_forward_backward", self.loss, ctypes.byref(rows), ctypes.byref(targets),
             ctypes.byref(gradient), None, ctypes.byref(result))  # fmt: skip
        return result.value


def map_at_r(x, labels):
    """How well the nearest rows of a row are of its class, 1 at best."""
    result = made(RetrievalResult, "retrieval_result_init")
    rows, targets = rows_of(x), targets_of(labels)
    call("retrieval", None, ctypes.byref(rows), ctypes.byref(targets), None, None, None,
         ctypes.byref(result))  # fmt: skip
    return result.map_at_r


# Classes differ in 4 of 32 directions, and these are the quiet ones.
random = numpy.random.RandomState(0)
labels = numpy.arange(240, dtype=numpy.int64) % 8
points = random.randn(240, 32)
points[:, :4] = 0.3 * points[:, :4] + random.randn(8, 4)[labels]
points[:, 4:] *= 2
weight = random.randn(32, 8)

loss, before = SupCon(temperature=0.1), map_at_r(points @ weight, labels)
for step in range(100):
    embedded = points @ weight
    gradient = numpy.empty_like(embedded)
    value = loss(embedded, labels, gradient)
    if step % 25 == 0:
        print(f"step {step}: loss {value:.3f}")
    weight -= 20 * points.T @ gradient
after = map_at_r(points @ weight, labels)
print(f"MAP@R {before:.3f} before, {after:.3f} after training")

# Errors name arguments as the interface does.
refused = False
try:
    map_at_r(points.astype(numpy.int64), labels)
except ValueError as error:
    print(error)
    refused = "tensor.dtype: wanted bfloat16, float16, float32 or float64, got int64" in str(error)
sys.exit(0 if refused and after > before + 0.3 else 1)
