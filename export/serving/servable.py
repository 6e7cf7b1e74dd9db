"""A loaded version of a model: its signatures, checks of their inputs, and running them.

Each version has its own session, as in TensorFlow Serving; closing the session frees its memory.
"""

import dataclasses
import math
import os
import queue
import time

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from export.serving import proto_tensors
from export.serving.errors import Code, ServingError, invalid

DEFAULT_SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
_INITIALIZER = "__saved_model_init_op"
_WARMUP = "assets.extra/tf_serving_warmup_requests"
_MAX_WARMUP_RECORDS = 1000


@dataclasses.dataclass(frozen=True)
class Limits:
    """Size limits of a request and its answer.

    Attributes:
        examples: most rows in the first dimension of an input.
        bytes: most bytes of one input as an array.
        response_bytes, json_response_bytes: most bytes of all outputs as arrays, over gRPC and over REST. As JSON, a
            float32 takes about three times its bytes and a uint8 up to four times.
    """

    examples: int = 1024
    bytes: int = 64 << 20
    response_bytes: int = 64 << 20
    json_response_bytes: int = 16 << 20


def dtype_name(dtype):
    """A tf.DType's name in TensorFlow's error messages, such as "float" for float32."""
    return {"float32": "float", "float64": "double", "float16": "half"}.get(dtype.name, dtype.name)


class Signature:
    """One function of a loaded model.

    Attributes:
        inputs, outputs: dict of alias → tf.TensorSpec.
        batchable: whether several requests can share a batch: every input and output has a free first dimension.
    """

    def __init__(self, session, pools, definition):
        self._session, self._pools = session, pools
        self.inputs = {alias: _spec(info) for alias, info in sorted(definition.inputs.items())}
        self.outputs = {alias: _spec(info) for alias, info in sorted(definition.outputs.items())}
        self._feeds = {alias: definition.inputs[alias].name for alias in self.inputs}
        self._fetches = {alias: definition.outputs[alias].name for alias in self.outputs}
        specs = [*self.inputs.values(), *self.outputs.values()]
        self.batchable = bool(self.inputs) and all(spec.shape.rank and spec.shape[0] is None for spec in specs)

    def run(self, inputs, deadline=None):
        """Runs the function, without the interpreter lock.

        Args:
            inputs: dict of alias → NumPy array that `check` passed.
            deadline: time by `time.monotonic` at which TensorFlow cancels the run; None: never. Cancelling ends loops
                and waiting ops. Running kernels are not interrupted, and ops outside of loops are all computed.

        Returns:
            Dict of alias → NumPy array.

        Raises:
            tf.errors.OpError: the model failed.
            ServingError: DEADLINE_EXCEEDED, the run was cancelled.
        """
        feeds = {self._feeds[alias]: value for alias, value in inputs.items()}
        pool = self._pools.get()
        try:
            options = tf.compat.v1.RunOptions(inter_op_thread_pool=pool)
            if deadline is not None:
                # 0 would mean no limit.
                options.timeout_in_ms = max(int(1e3 * (deadline - time.monotonic())), 1)
            return self._session.run(self._fetches, feeds, options)
        except tf.errors.DeadlineExceededError as error:
            raise ServingError(Code.DEADLINE_EXCEEDED, "the model was still running at the deadline") from error
        finally:
            self._pools.put(pool)

    def check_aliases(self, aliases):
        """Raises ServingError unless `aliases` are the inputs' names."""
        sent, wanted = set(aliases), set(self.inputs)
        if len(sent) != len(wanted):
            raise invalid(
                f"input size does not match signature: {len(sent)}!={len(wanted)} len({_braced(sent)}) != "
                f"len({_braced(wanted)}). Sent extra: {_braced(sent - wanted)}. "
                f"Missing but required: {_braced(wanted - sent)}."
            )
        for alias in sorted(sent - wanted):
            raise invalid(
                f"input tensor alias not found in signature: {alias}. Inputs expected to be in the set "
                f"{_braced(wanted)}."
            )

    def check(self, alias, dtype, shape, limits):
        """Raises ServingError unless an input of this dtype and shape can be fed. To be called before it is allocated.

        A wrong shape would otherwise fail inside the model, and with it a whole batch.

        Args:
            alias: name of the input, one of `inputs`.
            dtype: tf.DType.
            shape: list of int.
            limits: `Limits`.
        """
        spec = self.inputs[alias]
        if dtype != spec.dtype:
            index = list(self.inputs).index(alias)
            raise invalid(f"Expects arg[{index}] to be {dtype_name(spec.dtype)} but {dtype_name(dtype)} is provided")
        if not spec.shape.is_compatible_with(shape):
            raise invalid(f"input {alias} has shape {_listed(shape)}; the signature expects {_listed(spec.shape)}")
        size = 1 if dtype == tf.string else dtype.size
        if math.prod(shape) * size > limits.bytes:
            raise invalid(f"input {alias} of shape {_listed(shape)} is larger than {limits.bytes} bytes")
        if shape and shape[0] > limits.examples:
            raise invalid(f"input {alias} has {shape[0]} examples; at most {limits.examples} fit one request")

    def check_response(self, inputs, most):
        """Raises ServingError where the outputs for these inputs would exceed `most` bytes. To be called before the
        run; dimensions that are unknown before it count as 1."""
        rows, size = len(next(iter(inputs.values()))) if self.batchable else 1, 0
        for spec in self.outputs.values():
            lengths = [1 if length is None else length for length in spec.shape.as_list()] if spec.shape.rank else []
            size += rows * math.prod(lengths) * (1 if spec.dtype == tf.string else spec.dtype.size)
        _check_size(size, most)

    def decode(self, protos, limits):
        """Decodes and checks a request's map of alias → TensorProto. Returns a dict of alias → NumPy array.

        Raises:
            ServingError: they do not fit the signature or the limits.
        """
        self.check_aliases(protos)
        arrays = {}
        for alias, proto in protos.items():
            arrays[alias] = self._array(alias, proto, limits)
        return arrays

    def _array(self, alias, proto, limits):
        shape = [dim.size for dim in proto.tensor_shape.dim]
        if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
            raise invalid(f"tensor parsing error: {alias}")
        try:
            dtype = tf.as_dtype(proto.dtype)
        except TypeError:
            raise invalid(f"tensor parsing error: {alias}") from None
        self.check(alias, dtype, shape, limits)
        try:
            return proto_tensors.decode(proto, dtype, shape)
        except (ValueError, TypeError, OverflowError) as error:
            raise invalid(f"tensor parsing error: {alias}") from error

    def select(self, output_filter):
        """The output aliases to return: those of a request's `output_filter`, or all if empty. Raises ServingError."""
        chosen = list(output_filter)
        for position, alias in enumerate(chosen):
            if alias not in self.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                    f"{_braced(self.outputs)}."
                )
            if alias in chosen[:position]:
                raise invalid(f"duplicate output tensor alias: {alias}")
        return chosen or list(self.outputs)


class Servable:
    """A SavedModel in memory.

    Attributes:
        signatures: dict of name → `Signature`.
        definitions: dict of name → SignatureDef of the SavedModel.
        load_seconds, warmup_seconds: duration of loading and of the warm-up.
    """

    def __init__(self, path, runs=None):
        """Loads and warms up.

        Args:
            path: a version's directory.
            runs: most runs at the same time, further ones wait; the number of cores if None.

        Raises:
            Exception: any error of TensorFlow on a broken model.
        """
        start = time.perf_counter()
        graph = tf.Graph()
        # One thread for the ops of each run. By default all sessions share one thread a core, and that many endless
        # runs would block every model. Inside an op all cores work.
        runs, pools = runs or os.cpu_count(), queue.SimpleQueue()
        for pool in range(runs):
            pools.put(pool)
        config = tf.compat.v1.ConfigProto(session_inter_op_thread_pool=[{"num_threads": 1}] * runs)
        self._session = tf.compat.v1.Session(graph=graph, config=config)
        try:
            with graph.as_default():
                meta = tf.compat.v1.saved_model.load(self._session, [tf.saved_model.SERVING], path)
            self.definitions = dict(meta.signature_def)
            self.signatures = {
                name: Signature(self._session, pools, definition)
                for name, definition in self.definitions.items()
                if name != _INITIALIZER
            }
            self.load_seconds = time.perf_counter() - start
            self._warm_up(path)
            self.warmup_seconds = time.perf_counter() - start - self.load_seconds
        except BaseException:  # on any error, free the session's memory
            self._session.close()
            raise

    def signature(self, name):
        """The signature `name`, or the default one if `name` is empty.

        Raises:
            ServingError: FAILED_PRECONDITION, there is none.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        return self.signatures[name]

    def close(self):
        """Frees the memory. Nothing may be running."""
        self._session.close()

    def _warm_up(self, path):
        """Runs the model's warm-up requests, so that the first real request does not wait for lazy set-up."""
        records = tf.io.gfile.join(path, _WARMUP)
        if not tf.io.gfile.exists(records):
            return
        for count, record in enumerate(tf.data.TFRecordDataset(records).as_numpy_iterator()):
            if count == _MAX_WARMUP_RECORDS:
                raise invalid(f"Number of warmup records exceeds the maximum ({count}) at {records}")
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if not log.HasField("predict_log"):
                raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {log.WhichOneof('log_type')}")
            request = log.predict_log.request
            signature = self.signature(request.model_spec.signature_name)
            signature.run(signature.decode(request.inputs, Limits(examples=2**62, bytes=2**62)))


def check_outputs(outputs, most):
    """Raises ServingError where outputs, a dict of alias → NumPy array, exceed `most` bytes."""
    _check_size(
        sum(sum(map(len, array.flat)) if array.dtype == object else array.nbytes for array in outputs.values()), most
    )


def _check_size(size, most):
    if size > most:
        raise invalid(f"the response would have {size} bytes; at most {most} are sent, ask for fewer examples")


def _spec(info):
    if info.WhichOneof("encoding") != "name":
        raise ServingError(Code.UNIMPLEMENTED, "signatures of sparse and composite tensors are not supported")
    return tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.as_dtype(info.dtype))


def _braced(names):
    return "{" + ",".join(sorted(names)) + "}"


def _listed(shape):
    shape = tf.TensorShape(shape)
    sizes = ["?"] if shape.rank is None else ["?" if size is None else str(size) for size in shape.as_list()]
    return "[" + ",".join(sizes) + "]"
