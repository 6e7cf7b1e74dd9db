"""Reads and writes tensors as JSON in TensorFlow Serving's REST format (its api_rest.md and json_tensor.cc)."""

import base64
import binascii
import gc
import itertools
import json

import numpy as np
import orjson
import tensorflow as tf

from export.serving.errors import Code, ServingError, invalid
from export.serving.servable import dtype_name

_INTEGERS = (tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64)
_DECIMALS = (tf.float32, tf.float64)
_TYPES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}
_SHOWN = 256
#: Bytes of a tensor that are written at once.
_PIECE = 1 << 16


def parse(body):
    """The JSON object in a request's body, as a dict.

    Raises:
        ServingError: INVALID_ARGUMENT, the body is no JSON object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    # Parsing makes no garbage. The collector would scan the growing lists again and again, while the parser holds the
    # interpreter lock and blocks all other requests.
    collects = gc.isenabled()
    gc.disable()
    try:
        document = json.loads(body)
    except RecursionError:
        raise invalid("JSON Parse error: nested too deeply") from None
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from None
    finally:
        if collects:
            gc.enable()
    if not isinstance(document, dict):
        raise invalid(f"JSON Value: {_show(document)} Is not object")
    return document


def signature_name(document):
    """The "signature_name" of a request, "" where it has none. Raises ServingError where it is no string."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid(
            f"JSON Value: {_show(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def read_inputs(document, signature, limits):
    """The inputs in a predict request's body.

    Args:
        document: dict from `parse`.
        signature: the `servable.Signature` that is called.
        limits: `servable.Limits`.

    Returns:
        (dict of alias → NumPy array for `signature`, whether the answer is in row format, that of "instances").

    Raises:
        ServingError: they do not fit the signature or the limits.
    """
    if "instances" in document and "inputs" in document:
        raise invalid(
            f"JSON Value: {_show(document)} Not formatted correctly expecting only one of 'inputs' or 'instances' keys "
            "to exist "
        )
    if not signature.inputs:
        raise invalid("Failed to get input map for signature")
    if "instances" in document:
        values, rows = _of_rows(document, signature.inputs, limits), True
    elif "inputs" in document:
        values, rows = _of_columns(document["inputs"], signature.inputs), False
    else:
        raise invalid("Missing 'inputs' or 'instances' key")
    signature.check_aliases(values)
    arrays = {}
    for alias, value in values.items():
        dtype = signature.inputs[alias].dtype
        shape, leaves = _flatten(value)
        signature.check(alias, dtype, shape, limits)
        arrays[alias] = _array(leaves, dtype).reshape(shape)
    return arrays, rows


def _of_rows(document, inputs, limits):
    instances = document["instances"]
    if not isinstance(instances, list):
        raise invalid(f"JSON Value: {_show(document)} Expecting 'instances' to be an list/array")
    if not instances:
        raise invalid(f"JSON Value: {_show(document)} No values in 'instances' array")
    if len(instances) > limits.examples:  # before the loops over them
        raise invalid(f"'instances' has {len(instances)} examples; at most {limits.examples} fit one request")
    if not _is_named(instances[0]):
        if len(inputs) > 1:
            raise invalid(
                "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
                "tensorinfo_map"
            )
        for index, each in enumerate(instances):
            if _is_named(each):
                raise invalid(f"Expecting value/list but got object at item {index} of input list")
        return {next(iter(inputs)): instances}
    for index, each in enumerate(instances):
        if not _is_named(each):
            raise invalid(f"Expecting object but got list at item {index} of input list")
        for key in each:
            if key not in inputs:
                raise invalid(
                    f"Failed to process element: {index} key: {key} of 'instances' list. Error: INVALID_ARGUMENT: JSON "
                    f"object: does not have named input: {key}"
                )
        if len(each) != len(inputs):
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: {_show(each)} keys must be "
                f"equal to: {','.join(sorted(inputs))}"
            )
    return {alias: [each[alias] for each in instances] for alias in inputs}


def _of_columns(value, inputs):
    if not _is_named(value):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        return {next(iter(inputs)): value}
    for alias in inputs:
        if alias not in value:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
    return {alias: value[alias] for alias in inputs}


def _is_named(value):
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value):
    return len(value) == 1 and isinstance(value.get("b64"), str)


def _flatten(value):
    """(shape, list of leaves) of nested lists, level by level."""
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        if not first:
            break
        first = first[0]
    leaves = [value]
    for level, size in enumerate(shape):
        for each in leaves:
            if not isinstance(each, list):
                raise invalid(
                    f"JSON Value: {_show(each)} found at incorrect level: {level + 1} in the JSON DOM. Expected at "
                    f"level: {len(shape)}"
                )
            if len(each) != size:
                raise invalid(
                    f"Encountered list at unexpected size: {len(each)} at level: {level} expected size: {size}"
                )
        leaves = list(itertools.chain.from_iterable(leaves))
    if any(isinstance(leaf, list) for leaf in leaves):
        raise invalid(f"Encountered list at unexpected level: {len(shape)} expected < {len(shape)}")
    return shape, leaves


def _array(leaves, dtype):
    if dtype == tf.string:
        return np.array([_string(leaf) for leaf in leaves], object)
    accepted = {bool} if dtype == tf.bool else {int} if dtype in _INTEGERS else {int, float}
    if dtype != tf.bool and dtype not in (*_INTEGERS, *_DECIMALS):
        raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value to type: {dtype_name(dtype)}")
    if not set(map(type, leaves)) <= accepted:
        raise _type_error(next(leaf for leaf in leaves if type(leaf) not in accepted), dtype)
    try:
        with np.errstate(over="ignore"):
            return np.array(leaves, dtype.as_numpy_dtype)
    except OverflowError:
        bounds = np.iinfo(dtype.as_numpy_dtype) if dtype in _INTEGERS else np.finfo(dtype.as_numpy_dtype)
        outside = next(leaf for leaf in leaves if not bounds.min <= leaf <= bounds.max)
        raise _type_error(outside, dtype) from None


def _string(leaf):
    if isinstance(leaf, str):
        # JSON allows lone surrogates, strict UTF-8 does not.
        return leaf.encode("utf-8", "surrogatepass")
    if not isinstance(leaf, dict):
        raise _type_error(leaf, tf.string)
    if not _is_base64(leaf):
        raise invalid(f"JSON Value: {_show(leaf)} not formatted correctly for base64 data")
    try:
        text = leaf["b64"]
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise invalid("Unable to base64 decode") from None


def _type_error(value, dtype):
    kind = str(value) if isinstance(value, bool) else _TYPES[type(value)]
    return invalid(f"JSON Value: {_show(value)} Type: {kind} is not of expected type: {dtype_name(dtype)}")


def _show(value):
    """The start of a value's JSON, for messages."""
    pieces, length = [], 0
    try:
        for piece in json.JSONEncoder().iterencode(value):
            pieces.append(piece)
            length += len(piece)
            if length > _SHOWN:
                break
    except RecursionError:
        pass
    return "".join(pieces)[:_SHOWN]


def write_outputs(outputs, rows):
    """The body of a predict response, bytes.

    Args:
        outputs: dict of alias → NumPy array.
        rows: True for row format ("predictions"), False for column format ("outputs").

    Raises:
        ServingError: INVALID_ARGUMENT, a dtype has no JSON form, or the outputs of row format lack a common first
            dimension.
    """
    values = {alias: _jsonable(alias, array) for alias, array in outputs.items()}
    # Only orjson writes the shortest digits that round-trip a float32, but it writes null for NaN and infinity.
    finite = all(array.dtype.kind != "f" or np.isfinite(array).all() for array in outputs.values())
    dump = _dump if finite else _dump_not_finite
    if not rows:
        return dump({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    size = None
    for alias, array in outputs.items():
        if not array.shape:
            raise invalid(f"Tensor name: {alias} has no shape information ")
        if size not in (None, len(array)):
            raise invalid(f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {size}")
        size = len(array)
    if len(values) == 1:
        return dump({"predictions": next(iter(values.values()))})
    return dump({"predictions": [dict(zip(values, row)) for row in zip(*values.values())]})


def _jsonable(alias, array):
    if array.dtype.kind == "O":
        return _strings(array.tolist(), alias.endswith("_bytes"))
    if tf.as_dtype(array.dtype) not in (tf.bool, *_INTEGERS, *_DECIMALS):
        name = dtype_name(tf.as_dtype(array.dtype))
        raise invalid(f"Failed to write JSON value for tensor type: {name}")
    return np.ascontiguousarray(array) if array.shape else array[()]


def _strings(value, as_bytes):
    if isinstance(value, list):
        return [_strings(each, as_bytes) for each in value]
    if as_bytes:
        return {"b64": base64.b64encode(value).decode()}
    return value.decode("utf-8", "replace")


def _dump(document):
    ((key, value),) = document.items()
    if not isinstance(value, np.ndarray) or value.nbytes <= _PIECE:
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    # orjson keeps Python's lock while it writes; between pieces other requests proceed.
    rows = max(1, _PIECE * len(value) // value.nbytes)
    pieces = (
        orjson.dumps(value[start : start + rows], option=orjson.OPT_SERIALIZE_NUMPY)
        for start in range(0, len(value), rows)
    )
    return b"".join([b'{"%b":[' % key.encode(), b",".join(piece[1:-1] for piece in pieces), b"]}"])


def _dump_not_finite(document):
    return json.dumps(document, default=lambda value: value.tolist()).encode()
