"""A client of TensorFlow Serving's gRPC API: of the real server, or of the embedded one.

with Client("localhost:8500", "digits") as client:
    for images in client.sample(range(10_000)):
        print(images.shape)
    sevens = next(client.sample(range(64), labels=7))  # of a generator that is told labels
    circles = next(client.sample(range(64), captions="a red circle"))  # or captions
"""

import collections
import json
import socket

import grpc

from trainers import program
from zoo.errors import RequestError

#: Examples a request, and requests under way: the server works on one while another travels.
BATCH, _AHEAD = 64, 3
#: What another attempt cannot help.
_WRONG_REQUEST = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.OUT_OF_RANGE,
}
#: What a server that is not there looks like.
_NO_ANSWER = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


class Client:
    """One model of a server.

    Every request has a deadline. Where the server is not there or says UNAVAILABLE, gRPC itself asks again, with
    pauses of about 0.2, 0.4, 0.8, … seconds (half to full, drawn at random), within the deadline.

    Args:
        server: "HOST:PORT" of the gRPC API.
        model: the model's name.
        version: its version, the newest if None.
        version_label: or a label of a version.
        timeout: seconds for one request, its retries included.
        attempts: how often a request is sent at most, 1 to 5.
        credentials: grpc.ChannelCredentials for TLS; plain text if None.

    Raises:
        RequestError: `server` is no HOST:PORT, or both a version and a label are given. Later, from a request: the
            server finds it wrong (no such model or signature, …).
        program.RunFailed: from a request: the server cannot be reached, or failed.
    """

    def __init__(self, server, model, *, version=None, version_label=None, timeout=60.0, attempts=5, credentials=None):
        check_address(server)
        if version is not None and version_label is not None:
            raise RequestError(
                f"--version, --version_label: both given ({version}, {version_label!r}); expected one of them"
            )
        from tensorflow_serving.apis import model_pb2, prediction_service_pb2_grpc

        self._server, self._timeout = server, timeout
        self._spec = model_pb2.ModelSpec(name=model)
        if version is not None:
            self._spec.version.value = version
        if version_label is not None:
            self._spec.version_label = version_label
        retry = {
            "maxAttempts": attempts,
            "initialBackoff": "0.2s",
            "maxBackoff": "5s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        # gRPC knows no policy of a single attempt.
        policy = {"retryPolicy": retry} if attempts > 1 else {}
        config = {"methodConfig": [{"name": [{"service": "tensorflow.serving.PredictionService"}], **policy}]}
        options = [
            ("grpc.service_config", json.dumps(config)),
            # A batch of images is larger than gRPC's 4 MB.
            ("grpc.max_receive_message_length", -1),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        make = grpc.insecure_channel if credentials is None else grpc.secure_channel
        self._channel = make(server, *([] if credentials is None else [credentials]), options=options)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        """Ends the connection and what is still under way on it."""
        self._channel.close()

    def predict(self, signature, **inputs):
        """One request.

        Args:
            signature: its name.
            inputs: NumPy arrays by the inputs' names.

        Returns:
            Dict of the outputs, NumPy arrays (of bytes objects for strings).
        """
        return self._outputs(self._ask(signature, inputs))

    def generate(self, latents, labels=None, captions=None):
        """Latents float32 [N, z], labels and captions as of `sample` → images float32 [N, H, W, C] in [-1, 1], or
        points [N, d]."""
        told, suffix = _told(labels, captions, len(latents))
        (examples,) = self.predict(f"generate{suffix}" if told else "serving_default", latents=latents, **told).values()
        return examples

    def sample(self, seeds, labels=None, batch_size=BATCH, captions=None):
        """Draws seeds, as many as wanted: batches come as the server answers, in order, a few asked for ahead.

        Args:
            seeds: sequence of integers, a range for instance.
            labels: for a model that is told labels, the class of each: an integer for all, or one for each seed. The
                seeds decide if None.
            batch_size: seeds a request.
            captions: for a model of captions, that of each: a str for all, or one for each seed. The seeds decide if
                None.

        Yields:
            uint8 images [n, H, W, C] or float32 points [n, d], n = batch_size but at the end.

        Raises:
            RequestError: the labels are no integers, the captions no texts, or not as many as seeds.
        """
        yield from self._stream("sample", seeds, labels, captions, batch_size)

    def png(self, seeds, labels=None, batch_size=BATCH, captions=None):
        """As `sample`, but yields arrays of encoded PNG files, bytes objects [n]."""
        yield from self._stream("png", seeds, labels, captions, batch_size)

    def upscale(self, images):
        """Images uint8 [N, h, w, C] → uint8 [N, 4h, 4w, C], of a super-resolution model."""
        import numpy as np

        return self.predict("upscale", low_resolution=np.asarray(images, np.uint8))["images"]

    def labels(self, seeds):
        """Seeds [N] → labels int64 [N], those that they decide where none are given."""
        return self.predict("labels", seeds=_int64(seeds))["labels"]

    def latents(self, seeds):
        """Seeds [N] → latents float32 [N, z], those that `sample` gives the generator."""
        return self.predict("latents", seeds=_int64(seeds))["latents"]

    def captions(self, seeds):
        """Seeds [N] → captions, list of N str, those that they decide where none are given."""
        return [text.decode() for text in self.predict("captions", seeds=_int64(seeds))["captions"]]

    def _stream(self, signature, seeds, labels, captions, batch_size):
        told, suffix = _told(labels, captions, len(seeds))
        waiting = collections.deque()
        try:
            for start in range(0, len(seeds), batch_size):
                rows = {name: column[start : start + batch_size] for name, column in told.items()}
                rows["seeds"] = _int64(seeds[start : start + batch_size])
                waiting.append(self._ask(f"{signature}{suffix}", rows))
                if len(waiting) == _AHEAD:
                    yield self._only(waiting.popleft())
            while waiting:
                yield self._only(waiting.popleft())
        finally:
            for call in waiting:
                call.cancel()

    def _ask(self, signature, inputs):
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest(model_spec=self._spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        return self._service.Predict.future(request, timeout=self._timeout)

    def _outputs(self, call):
        import tensorflow as tf

        try:
            response = call.result()
        except grpc.RpcError as error:
            code, told = error.code(), error.details() or "no reason given"
            if code in _NO_ANSWER and (reason := self._unreachable()):
                raise program.RunFailed(f"{self._server}: no connection ({reason})") from error
            message = f"{self._server}: model {self._spec.name!r}: {told} ({code.name})"
            if code in _WRONG_REQUEST:
                raise RequestError(message) from error
            raise program.RunFailed(message) from error
        return {name: tf.make_ndarray(value) for name, value in response.outputs.items()}

    def _unreachable(self):
        """Why no connection to the server can be made; None where one can.

        Where all attempts failed, gRPC tells of the last one; where the deadline came between them, of that alone.
        """
        host, _, port = self._server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=1.0):
                return None
        except OSError as error:
            return (error.strerror or str(error)).lower()

    def _only(self, call):
        (output,) = self._outputs(call).values()
        return output


def check_address(server):
    """Raises RequestError unless `server` is HOST:PORT. Free of TensorFlow."""
    host, _, port = server.rpartition(":")
    if not host or not port.isdecimal():
        raise RequestError(f"--server: {server!r}; expected HOST:PORT of the gRPC API, as localhost:8500")


def _int64(seeds):
    import numpy as np

    return np.asarray(seeds, np.int64)


def _told(labels, captions, count):
    """({input: array [count]}, suffix of the signature) of labels or captions, one for all or one each."""
    import numpy as np

    if labels is not None and captions is not None:
        raise RequestError("labels, captions: both given; expected one of them")
    if labels is not None:
        return {"labels": _one_each(labels, count)}, "_with_labels"
    if captions is None:
        return {}, ""
    texts = [captions] * count if isinstance(captions, str) else list(captions)
    if len(texts) != count or not all(isinstance(text, str) for text in texts):
        raise RequestError(f"captions: found {len(texts)}; expected a text, or one for each of {count} rows")
    return {"captions": np.array([text.encode() for text in texts], object)}, "_with_captions"


def _one_each(labels, count):
    """Labels int64 [count] of one for all, or of one each."""
    import numpy as np

    labels = np.asarray(labels)
    if labels.shape not in ((), (count,)) or (labels.size and labels.dtype.kind not in "iu"):
        found = f"{labels.dtype} {list(labels.shape)}"
        raise RequestError(f"labels: found {found}; expected an integer, or one for each of {count} rows")
    return np.broadcast_to(labels.astype(np.int64), [count])
