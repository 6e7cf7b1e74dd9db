"""Helpers of this folder's tests: starting servers and sending requests."""

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

#: Every flag of tensorflow_model_server 2.20 (model_servers/main.cc) with a value that it takes.
MODEL_SERVER_FLAGS = """
    port=8500 grpc_socket_path= rest_api_port=8501 rest_api_num_threads=4 rest_api_timeout_in_ms=30000
    rest_api_enable_cors_support=true enable_batching=false allow_version_labels_for_unavailable_models=true
    batching_parameters_file= enable_per_model_batching_parameters=false model_config_file=
    model_config_file_poll_wait_seconds=0 model_name=m model_base_path= num_load_threads=2 num_unload_threads=2
    max_num_load_retries=5 load_retry_interval_micros=60000000 file_system_poll_wait_seconds=1
    flush_filesystem_caches=true tensorflow_session_parallelism=2 tensorflow_session_config_file=
    tensorflow_intra_op_parallelism=2 tensorflow_inter_op_parallelism=2 use_alts_credentials=false ssl_config_file=
    platform_config_file= per_process_gpu_memory_fraction=0.5 saved_model_tags=serve
    grpc_channel_arguments=grpc.max_connection_age_ms=2000 grpc_max_threads=8 enable_model_warmup=true
    num_request_iterations_for_warmup=1 version=false monitoring_config_file=
    remove_unused_fields_from_bundle_metagraph=true prefer_tflite_model=false num_tflite_pools=1
    num_tflite_interpreters_per_pool=1 enable_signature_method_name_check=false xla_cpu_compilation_enabled=false
    xla_gpu_compilation_enabled=false enable_profiler=true thread_pool_factory_config_file= mixed_precision=
    skip_initialize_tpu=false enable_grpc_healthcheck_service=true enable_serialization_as_tensor_content=true
"""

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


def program(*flags, module="export.serving.server"):
    """A program, the server's by default, that ends by itself. Returns subprocess.CompletedProcess."""
    command = [sys.executable, "-m", module, *flags]
    return subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)


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
