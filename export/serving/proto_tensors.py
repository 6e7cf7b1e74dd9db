"""Tensors in gRPC messages: TensorProto → array, arrays → serialised PredictResponse.

A response is written directly as bytes. A message object would copy the images, and serialising it would copy them
again; for large images this costs more than the rest of a request besides the model.
"""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import predict_pb2

_TENSOR = {field.name: field.number for field in tensor_pb2.TensorProto.DESCRIPTOR.fields}
_OUTPUTS = predict_pb2.PredictResponse.DESCRIPTOR.fields_by_name["outputs"]
_ENTRY = {field.name: field.number for field in _OUTPUTS.message_type.fields}
#: Typed fields of fixed-width numbers, whose packed form equals the array's bytes. (Little-endian, as on every machine
#: that TensorFlow has wheels for.)
_PACKED = {np.dtype(np.float32): _TENSOR["float_val"], np.dtype(np.float64): _TENSOR["double_val"]}
_TYPED = {"int64": "int64_val", "bool": "bool_val", "uint32": "uint32_val", "uint64": "uint64_val"}


def decode(proto, dtype, shape):
    """The NumPy array in a TensorProto; it may be read-only.

    Args:
        proto: the TensorProto.
        dtype, shape: those of the TensorProto, as a tf.DType and a list of int.

    Raises:
        ValueError, TypeError, OverflowError: its values do not fill its shape.
    """
    if proto.tensor_content and dtype.is_numpy_compatible:
        return np.frombuffer(proto.tensor_content, dtype.as_numpy_dtype).reshape(shape)
    return tf.make_ndarray(proto)


def predict_response(spec, outputs, as_content=False):
    """A serialised PredictResponse.

    Args:
        spec: its ModelSpec.
        outputs: dict of alias → NumPy array.
        as_content: True: values in `tensor_content`, as with ``--enable_serialization_as_tensor_content``; False: in
            the typed fields (`float_val`, …), TensorFlow Serving's default.

    Returns:
        bytes.
    """
    # Concatenating two serialised messages merges them.
    parts = [predict_pb2.PredictResponse(model_spec=spec).SerializeToString()]
    for alias, array in outputs.items():
        key, value = _field(_ENTRY["key"], alias.encode()), _field(_ENTRY["value"], *_tensor(array, as_content))
        parts += _field(_OUTPUTS.number, *key, *value)
    return b"".join(parts)


def _tensor(array, as_content):
    """A serialised TensorProto, as a list of bytes-like parts to join."""
    if array.dtype.kind not in "biuf" or array.dtype == np.float16:
        return [tf.make_tensor_proto(array).SerializeToString()]
    proto = tensor_pb2.TensorProto()
    proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    flat = array.reshape(-1)
    if as_content:
        return [proto.SerializeToString(), *_field(_TENSOR["tensor_content"], flat.view(np.uint8))]
    if array.dtype in _PACKED:
        return [proto.SerializeToString(), *_field(_PACKED[array.dtype], flat.view(np.uint8))]
    if array.dtype == np.uint8:
        return [proto.SerializeToString(), *_field(_TENSOR["int_val"], _varints(flat))]
    getattr(proto, _TYPED.get(array.dtype.name, "int_val")).extend(flat.tolist())
    return [proto.SerializeToString()]


def _field(number, *parts):
    """A length-delimited field, as parts to join: its key and length, then `parts`."""
    return [_varint(number << 3 | 2) + _varint(sum(map(len, parts))), *parts]


def _varints(levels):
    """The varints of uint8 [n], joined, uint8 [m]; values above 127 take two bytes."""
    two = levels > 0x7F
    places = np.arange(len(levels)) + np.cumsum(two) - two
    written = np.ones(len(levels) + np.count_nonzero(two), np.uint8)
    written[places] = levels
    return written


def _varint(value):
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
