"""Starting servers and asking them, for the tests of this folder."""

import contextlib
import dataclasses
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import grpc
import numpy as np
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc

TIMEOUT = 30  # seconds for one request
_START = 400  # a machine with other work may need minutes to import TensorFlow
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


X = {"x": np.array([1.0, 2.0, 5.0], np.float32)}


def request_of(name, inputs, signature="", version=None, label=None, outputs=()):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return request


def predict(server, *args, **kwargs):
    return server.prediction.Predict(request_of(*args, **kwargs), timeout=TIMEOUT)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, seconds=60):
    """Asks until `condition()` is true; fails after so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"did not happen within {seconds} s"
        time.sleep(0.02)


@dataclasses.dataclass
class Running:
    """A server under test."""

    host: str
    grpc_port: int
    rest_port: int
    process: subprocess.Popen | None = None
    log: pathlib.Path | None = None

    def __post_init__(self):
        self.channel = grpc.insecure_channel(
            f"{self.host}:{self.grpc_port}", options=[("grpc.max_receive_message_length", -1)]
        )
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def url(self, path):
        return f"http://{self.host}:{self.rest_port}{path}"

    def memory(self, field="VmRSS"):
        """Resident bytes, now or (VmHWM) at most so far."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.split(f"{field}:")[1].split()[0])


def start(folder, *flags, command=(sys.executable, "-m", "export.serving.server")):
    """Starts a server in the background. Returns its `Running`, perhaps not ready."""
    grpc_port, rest_port = free_port(), free_port()
    log = folder / f"server_{rest_port}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, f"--port={grpc_port}", f"--rest_api_port={rest_port}", *flags],
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": ""},
        )
    return Running("127.0.0.1", grpc_port, rest_port, process, log)


@contextlib.contextmanager
def serving(folder, *flags, **options):
    """A running server that answers; stopped at the end."""
    running = start(folder, *flags, **options)
    try:
        wait_until_ready(running)
        yield running
    finally:
        running.channel.close()
        if running.process.poll() is None:
            running.process.send_signal(signal.SIGKILL)
        running.process.wait()


def wait_until_ready(running):
    def ready():
        assert running.process is None or running.process.poll() is None, running.log.read_text()[-3000:]
        try:
            grpc.channel_ready_future(running.channel).result(timeout=1)
            with socket.create_connection((running.host, running.rest_port), 1):
                return True
        except (grpc.FutureTimeoutError, OSError):
            return False

    wait_until(ready, _START)


def health(running, service=""):
    stub = health_pb2_grpc.HealthStub(running.channel)
    return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status
