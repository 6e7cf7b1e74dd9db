"""The client against Google's generated servicer, with injected failures, and against the embedded server."""

from concurrent import futures

import grpc
import numpy as np
import pytest
import tensorflow as tf
from harness import free_port, program
from PIL import Image
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from export.generators import Generator
from export.serving.client import Client
from trainers.program import RunFailed
from zoo.errors import RequestError


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers seeds with 1×1 images of their lowest byte, after failing as often as it is told."""

    def __init__(self):
        self.failures, self.code, self.asked = 0, grpc.StatusCode.UNAVAILABLE, []

    def Predict(self, request, context):
        seeds = tf.make_ndarray(request.inputs["seeds"])
        self.asked.append((request.model_spec, len(seeds), context.time_remaining()))
        if self.failures:
            self.failures -= 1
            context.abort(self.code, "told to")
        response = predict_pb2.PredictResponse()
        response.outputs["images"].CopyFrom(tf.make_tensor_proto((seeds & 255).astype(np.uint8)[:, None, None, None]))
        return response


@pytest.fixture
def service():
    service, server = _Service(), grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    service.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield service
    server.stop(None).wait()


def test_a_large_order_comes_in_batches_and_in_order(service):
    with Client(service.address, "faces", version=3) as client:
        batches = list(client.sample(range(5, 205), batch_size=32))
    assert [len(batch) for batch in batches] == [32] * 6 + [8]
    np.testing.assert_array_equal(np.concatenate(batches)[:, 0, 0, 0], np.arange(5, 205))
    spec, _, remaining = service.asked[0]
    assert (spec.name, spec.version.value, spec.signature_name) == ("faces", 3, "sample") and 0 < remaining < 61


def test_an_order_that_nobody_waits_for_is_not_asked_for(service):
    with Client(service.address, "faces", version_label="stable") as client:
        stream = client.sample(range(64_000))
        next(stream)
        stream.close()
    assert len(service.asked) <= 4 and service.asked[0][0].version_label == "stable"


def test_unavailable_is_asked_again_and_nothing_else_is(service):
    service.failures = 2
    with Client(service.address, "faces") as client:
        (images,) = client.sample([1, 2])
        assert len(images) == 2 and len(service.asked) == 3
        service.failures, service.code = 1, grpc.StatusCode.INTERNAL
        with pytest.raises(RunFailed, match=r"'faces': told to \(INTERNAL\)"):
            client.predict("sample", seeds=np.array([1]))
        service.failures, service.code = 1, grpc.StatusCode.NOT_FOUND
        with pytest.raises(RequestError, match="NOT_FOUND"):
            client.predict("sample", seeds=np.array([1]))
    assert len(service.asked) == 5


def test_a_server_that_stays_away_is_given_up(service):
    service.failures = 100
    with Client(service.address, "faces", attempts=2) as client, pytest.raises(RunFailed, match="UNAVAILABLE"):
        client.predict("sample", seeds=np.array([1]))
    assert len(service.asked) == 2
    with Client(service.address, "faces", timeout=0.5) as client, pytest.raises(RunFailed):
        client.predict("sample", seeds=np.array([1]))


@pytest.mark.parametrize(
    "host, timeout, reason",
    [
        ("127.0.0.1", 0.1, "connection refused"),
        ("localhost", 10.0, "connection refused"),
        ("no.invalid", 0.1, ".*name"),
    ],
)
def test_a_server_that_is_not_there_is_told_by_the_reason(host, timeout, reason):
    server = f"{host}:{free_port()}"
    told = pytest.raises(RunFailed, match=rf"^{server}: no connection \({reason}")
    with Client(server, "faces", timeout=timeout, attempts=2) as client, told:
        client.predict("sample", seeds=np.array([1]))


def test_what_is_no_address_or_two_versions_is_refused():
    with pytest.raises(RequestError, match="expected HOST:PORT"):
        Client("localhost", "faces")
    with pytest.raises(RequestError, match="--version, --version_label: both given"):
        Client("localhost:1", "faces", version=1, version_label="stable")


def test_the_program_writes_what_came_before_the_server_failed(service, tmp_path):
    flags = f"--server={service.address}", "--model=faces", "--num=130", "--seed=3", f"--out={tmp_path}/all/"
    done = program(*flags, module="export.sample")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "all").iterdir())) == 130
    assert np.asarray(Image.open(tmp_path / "all" / "seed_00000132.png")) == [[132]]
    away = f"--server=127.0.0.1:{free_port()}"
    done = program(away, "--model=faces", "--timeout=3", f"--out={tmp_path}/grid.png", module="export.sample")
    assert done.returncode == 1 and not (tmp_path / "grid.png").exists(), done.stderr
    # TensorFlow, imported for the messages, may have logged lines before.
    assert done.stderr.splitlines()[-1].startswith("sample.py: 127.0.0.1:") and "Traceback" not in done.stderr


def test_the_embedded_server_gives_the_images_of_the_local_model(embedded, models, tmp_path):
    local = Generator.load(models / "generator")
    seeds = np.arange(150)
    with Client(f"127.0.0.1:{embedded.grpc_port}", "generator") as client:
        served = np.concatenate(list(client.sample(seeds)))
        np.testing.assert_array_equal(served, local.sample(seeds))
        latents = client.latents(seeds[:3])
        np.testing.assert_allclose(client.generate(latents), local.generate(latents), atol=1e-6)
        (encoded,) = client.png(seeds[:2])
        assert encoded[0].startswith(b"\x89PNG")
        with pytest.raises(RequestError, match="no_such_signature"):
            client.predict("no_such_signature", seeds=seeds)
    with Client(f"127.0.0.1:{embedded.grpc_port}", "nobody") as client, pytest.raises(RequestError, match="NOT_FOUND"):
        next(client.sample(seeds))
