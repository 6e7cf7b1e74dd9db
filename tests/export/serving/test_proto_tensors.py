"""Tensors in gRPC messages, against TensorFlow's own conversion and Google's own message classes."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_pb2, predict_pb2

from export.serving import proto_tensors

RNG = np.random.default_rng(0)
DTYPES = ["float32", "float64", "float16", "int8", "uint8", "int32", "int64", "uint32", "uint64", "bool"]


def array(dtype, shape):
    return RNG.integers(0, {"bool": 2, "int8": 128}.get(dtype, 256), shape).astype(dtype)


def response(outputs, spec=None, as_content=False):
    written = proto_tensors.predict_response(spec or model_pb2.ModelSpec(), outputs, as_content)
    return predict_pb2.PredictResponse.FromString(written)


@pytest.mark.parametrize("shape", [(2, 3, 4, 1), (300, 70), (0, 5), ()], ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("as_content", [False, True])
def test_response_is_read_by_googles_message_as_the_arrays(dtype, shape, as_content):
    spec = model_pb2.ModelSpec(name="faces", signature_name="sample")
    spec.version.value = 7
    sent = {"images": array(dtype, shape), "other images": array("float32", (3,))}
    read = response(sent, spec, as_content)
    assert read.model_spec == spec
    assert read.outputs.keys() == sent.keys()
    for alias, value in sent.items():
        assert read.outputs[alias].dtype == tf.as_dtype(value.dtype).as_datatype_enum
        got = tf.make_ndarray(read.outputs[alias])
        assert got.dtype == value.dtype
        np.testing.assert_array_equal(got, value)
    # A client without TensorFlow reads the fields themselves.
    floats = read.outputs["other images"]
    assert (len(floats.tensor_content) == 12) if as_content else (list(floats.float_val) == list(sent["other images"]))


def test_response_carries_what_numpy_has_no_kind_for():
    sent = {"text": np.array([b"a", b""], object), "half": np.ones([2], ml_dtypes.bfloat16)}
    read = response(sent)
    for alias, value in sent.items():
        np.testing.assert_array_equal(tf.make_ndarray(read.outputs[alias]), value)


def test_response_of_rows_of_a_batch_and_of_a_transposed_array():
    batch = array("float32", (6, 4, 5))
    for view in (batch[2:4], batch.transpose(2, 0, 1), batch[::2]):
        read = response({"x": view})
        np.testing.assert_array_equal(tf.make_ndarray(read.outputs["x"]), view)


@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16", "complex64", "string"])
@pytest.mark.parametrize("shape", [(2, 3), (0, 5), ()], ids=str)
def test_decode_is_tensorflows(dtype, shape):
    dtype = tf.as_dtype(dtype)
    value = np.full(shape, b"ab", object) if dtype == tf.string else array("int32", shape).astype(dtype.as_numpy_dtype)
    for values in (value, value.tolist()):  # as bytes, and in the typed fields
        proto = tf.make_tensor_proto(values, dtype, shape)
        got, wanted = proto_tensors.decode(proto, dtype, list(shape)), tf.make_ndarray(proto)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted)


def test_decode_refuses_values_that_do_not_fill_the_shape():
    for proto in (tf.make_tensor_proto(np.ones([2, 3], np.float32)), tf.make_tensor_proto([1.0, 2.0, 3.0])):
        with pytest.raises(ValueError):
            proto_tensors.decode(proto, tf.float32, [7])
