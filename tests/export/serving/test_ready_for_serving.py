"""Exports meet TensorFlow Serving's requirements: graph, warm-up requests, and loading by TensorFlow's C API."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

ALWAYS = {"serving_default", "sample", "latents", "png"}
WITH_LABELS = {"labels", "generate_with_labels", "sample_with_labels", "png_with_labels"}


@pytest.fixture(scope="module", params=["told no labels", "told labels"])
def exported(request, version, labelled_version):
    """(directory of a version, its model, names of its signatures)."""
    path, names = {
        "told no labels": (version, ALWAYS),
        "told labels": (labelled_version, ALWAYS | WITH_LABELS),
    }[request.param]
    return path, tf.saved_model.load(path), names


def graph_of(version):
    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    (meta_graph,) = saved.meta_graphs
    return meta_graph


def test_no_operation_needs_python(exported):
    graph = graph_of(exported[0])
    nodes = [node for function in graph.graph_def.library.function for node in function.node_def]
    operations = {node.op for node in [*graph.graph_def.node, *nodes]}
    assert {"Conv2DBackpropInput", "EncodePng"} <= operations
    assert not [name for name in operations if "PyFunc" in name or name.startswith("_")]
    # An op that is unknown without this package's modules is unknown to the server too.
    assert not [name for name in operations if name not in tf.raw_ops.__dict__ and name != "PartitionedCall"]


def test_every_signature_has_the_batch_in_front(exported):
    path, model, names = exported
    definitions = graph_of(path).signature_def
    served = {name: definition for name, definition in definitions.items() if not name.startswith("__")}
    assert set(served) == names
    for name, definition in served.items():
        for info in [*definition.inputs.values(), *definition.outputs.values()]:
            assert info.tensor_shape.dim[0].size == -1
        for count in (1, 3):
            inputs = {
                key: tf.zeros([count, *(side.size for side in info.tensor_shape.dim[1:])], info.dtype)
                for key, info in definition.inputs.items()
            }
            (output,) = model.signatures[name](**inputs).values()
            assert output.shape[0] == count


def test_the_warm_up_asks_every_signature_what_it_can_answer(exported):
    version, model, names = exported
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    asked = {}
    for log in logs:
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        # Without a version the file fits a directory of any number.
        assert request.model_spec.name == version.parent.name and not request.model_spec.HasField("version")
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        (rows,) = {len(values) for values in inputs.values()}
        asked.setdefault(request.model_spec.signature_name, []).append(rows)
        answer = model.signatures[request.model_spec.signature_name](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        assert all(len(output) == rows for output in answer.values())
        if {"seeds", "labels"} <= set(inputs):
            drawn = model.signatures["labels"](seeds=tf.constant(inputs["seeds"]))["labels"]
            np.testing.assert_array_equal(inputs["labels"], drawn)
    assert asked == {name: [1, 64] for name in names}


# Loads a model by nothing but TensorFlow's C library, as the server does; argv: library, model, jobs as JSON, folder.
_C_PROGRAM = """
import ctypes, json, sys
import numpy as np
library, path, jobs, out = sys.argv[1:]
c = ctypes.CDLL(library)
class Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]
def function(name, result, *arguments):
    found = getattr(c, "TF_" + name)
    found.restype, found.argtypes = result, arguments
    return found
pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
status = function("NewStatus", pointer)()
code, message = function("GetCode", ctypes.c_int, pointer), function("Message", text, pointer)
def check():
    if code(status):
        raise SystemExit(message(status).decode())
graph, options = function("NewGraph", pointer)(), function("NewSessionOptions", pointer)()
tags = (text * 1)(b"serve")
load = function("LoadSessionFromSavedModel", pointer, pointer, pointer, text, ctypes.POINTER(text), ctypes.c_int,
                pointer, pointer, pointer)
session = load(options, None, path.encode(), tags, 1, graph, None, status)
check()
find = function("GraphOperationByName", pointer, pointer, text)
allocate = function("AllocateTensor", pointer, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, size)
data, length = function("TensorData", pointer, pointer), function("TensorByteSize", size, pointer)
rank, side = function("NumDims", ctypes.c_int, pointer), function("Dim", ctypes.c_int64, pointer, ctypes.c_int)
outputs, pointers = ctypes.POINTER(Output), ctypes.POINTER(pointer)
run = function("SessionRun", None, pointer, pointer, outputs, pointers, ctypes.c_int, outputs, pointers, ctypes.c_int,
               pointer, ctypes.c_int, pointer, pointer)
def end(name):
    operation, index = name.split(":")
    return (Output * 1)(Output(find(graph, operation.encode()), int(index)))
for name, job in json.loads(jobs).items():
    value = np.array(job["value"], job["dtype"])
    shape = (ctypes.c_int64 * value.ndim)(*value.shape)
    tensor = allocate(job["enum"], shape, value.ndim, value.nbytes)
    ctypes.memmove(data(tensor), value.ctypes.data, value.nbytes)
    fetched = (pointer * 1)()
    fed = end(job["input"]), (pointer * 1)(tensor), 1
    run(session, None, *fed, end(job["output"]), fetched, 1, None, 0, None, status)
    check()
    got = fetched[0]
    array = np.frombuffer(ctypes.string_at(data(got), length(got)), job["gives"])
    np.save(out + "/" + name, array.reshape([side(got, axis) for axis in range(rank(got))]))
assert "tensorflow" not in sys.modules
"""


def test_the_c_api_loads_it_and_answers_the_same(version, tmp_path):
    package = pathlib.Path(importlib.util.find_spec("tensorflow").submodule_search_locations[0])
    library = next(package.glob("libtensorflow_cc.*"), None)
    if library is None:
        pytest.skip(f"{package} holds no libtensorflow_cc: this wheel has its C API elsewhere")
    graph, model = graph_of(version), tf.saved_model.load(version)
    values = {
        "serving_default": np.random.default_rng(0).normal(size=[3, 8]).astype(np.float32),
        "sample": np.array([0, 5, 2**40, -1]),
    }
    jobs, expected = {}, {}
    for name, value in values.items():
        definition = graph.signature_def[name]
        ((key, given),), (made,) = definition.inputs.items(), definition.outputs.values()
        (expected[name],) = (answer.numpy() for answer in model.signatures[name](**{key: tf.constant(value)}).values())
        jobs[name] = {
            "value": value.tolist(),
            "dtype": value.dtype.name,
            "enum": given.dtype,
            "gives": expected[name].dtype.name,
            "input": given.name,
            "output": made.name,
        }
    done = subprocess.run(
        [sys.executable, "-c", _C_PROGRAM, library, version, json.dumps(jobs), tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    np.testing.assert_array_equal(np.load(tmp_path / "sample.npy"), expected["sample"])
    # The session may fuse operations otherwise than eager execution.
    np.testing.assert_allclose(np.load(tmp_path / "serving_default.npy"), expected["serving_default"], atol=1e-5)
