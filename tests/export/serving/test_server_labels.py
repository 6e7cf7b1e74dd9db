"""A generator that is told labels, through both protocols, in batches with other requests, and by the client."""

import asyncio
import time

import grpc
import numpy as np
import pytest
import requests
import tensorflow as tf
from harness import TIMEOUT, predict, program, request_of

from export.generators import Generator
from export.serving import servable
from export.serving.batching import Parameters, Scheduler
from export.serving.client import Client
from export.serving.errors import Code, ServingError
from zoo.errors import RequestError

SEEDS, LABELS = np.arange(5), np.array([0, 1, 2, 1, 0])


@pytest.fixture(scope="module")
def local(models):
    return Generator.load(models / "labelled")


@pytest.fixture
def client(server):
    with Client(f"{server.host}:{server.grpc_port}", "labelled") as client:
        yield client


def rest(server, signature, **rows_or_columns):
    """(status, document) of a request to the REST API."""
    body = {"signature_name": signature, **rows_or_columns}
    answer = requests.post(server.url("/v1/models/labelled:predict"), json=body, timeout=TIMEOUT)
    return answer.status_code, answer.json()


def test_seeds_and_labels_over_grpc(server, local):
    response = predict(server, "labelled", {"seeds": SEEDS, "labels": LABELS}, "sample_with_labels")
    images = tf.make_ndarray(response.outputs["images"])
    np.testing.assert_array_equal(images, local.sample_with_labels(SEEDS, LABELS))
    assert np.any(images != local.sample(SEEDS))


def test_seeds_and_labels_over_rest_in_rows_and_in_columns(server, local):
    expected = local.sample_with_labels(SEEDS, LABELS).tolist()
    rows = [{"seeds": int(seed), "labels": int(label)} for seed, label in zip(SEEDS, LABELS)]
    assert rest(server, "sample_with_labels", instances=rows) == (200, {"predictions": expected})
    columns = {"seeds": SEEDS.tolist(), "labels": LABELS.tolist()}
    assert rest(server, "sample_with_labels", inputs=columns) == (200, {"outputs": expected})
    drawn = local.labels(SEEDS).tolist()
    assert rest(server, "labels", instances=SEEDS.tolist()) == (200, {"predictions": drawn})


def test_wrong_labels_are_refused(server):
    for seeds, labels, message in (
        ([1, 2], [0, 3], "labels: expected 0 to 2, found] [3]"),
        ([1, 2], [-1, 0], "labels: expected 0 to 2, found] [-1]"),
        ([1, 2], [0], "labels: expected] [2] [found] [1]"),
    ):
        inputs = {"seeds": np.array(seeds), "labels": np.array(labels)}
        with pytest.raises(grpc.RpcError) as refused:
            server.prediction.Predict(request_of("labelled", inputs, "sample_with_labels"), timeout=TIMEOUT)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT and message in refused.value.details()
        status, answer = rest(server, "sample_with_labels", inputs={"seeds": seeds, "labels": labels})
        assert status == 400 and message in answer["error"]
    status, answer = rest(server, "sample_with_labels", instances=[1, 2])
    assert status == 400 and "expecting list of objects as multiple input tensors" in answer["error"]
    status, answer = rest(server, "sample_with_labels", inputs={"seeds": [1]})
    assert status == 400 and "labels" in answer["error"]


def test_the_client_takes_a_label_for_all_or_one_each(client, local):
    for labels, each in ((2, np.full(5, 2)), (LABELS, LABELS), (LABELS.tolist(), LABELS)):
        served = np.concatenate(list(client.sample(SEEDS, labels, batch_size=2)))
        np.testing.assert_array_equal(served, local.sample_with_labels(SEEDS, each))
    (encoded,) = client.png(SEEDS, 2)
    images = [tf.io.decode_png(png).numpy() for png in encoded]
    np.testing.assert_array_equal(images, local.sample_with_labels(SEEDS, np.full(5, 2)))
    np.testing.assert_array_equal(client.labels(SEEDS), local.labels(SEEDS))
    latents = client.latents(SEEDS)
    made = client.generate(latents, client.labels(SEEDS))
    np.testing.assert_allclose(made, client.generate(latents), atol=1e-6)
    assert np.abs(client.generate(latents, 0) - made).max() > 0.1


def test_a_model_that_is_told_none_takes_no_labels(server):
    refused = pytest.raises(RequestError, match='"sample_with_labels" not found')
    with Client(f"{server.host}:{server.grpc_port}", "generator") as client, refused:
        next(client.sample(SEEDS, 0))


@pytest.mark.parametrize("labels", [[0, 1], 1.5, [[0] * 5], ["0"] * 5, True])
def test_the_client_refuses_what_are_no_labels_for_its_seeds(labels):
    with Client("localhost:1", "labelled") as client:
        with pytest.raises(RequestError, match=r"labels: found .* expected an integer, or one for each of 5 rows"):
            next(client.sample(SEEDS, labels))
        with pytest.raises(RequestError, match="labels: found"):
            client.generate(np.zeros([5, 5], np.float32), labels)


def test_the_program_asks_a_server_for_one_class(embedded, local, tmp_path):
    flags = f"--server=127.0.0.1:{embedded.grpc_port}", "--model=labelled", "--num=3", f"--out={tmp_path}/x.npy"
    done = program(*flags, "--label=2", module="export.sample")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), local.sample_with_labels(SEEDS[:3], np.full(3, 2)))
    done = program(*flags, "--label=3", module="export.sample")
    assert done.returncode == 2 and "labels: expected 0 to 2, found] [3" in done.stderr, done.stderr


def test_the_warm_up_of_two_inputs_is_replayed(models, monkeypatch):
    runs, run = [], servable.Signature.run

    def counted(self, inputs, *deadline):
        runs.append({name: len(value) for name, value in inputs.items()})
        return run(self, inputs, *deadline)

    monkeypatch.setattr(servable.Signature, "run", counted)
    servable.Servable(str(models / "labelled" / "1")).close()
    for rows in (1, 64):
        assert runs.count({"seeds": rows, "labels": rows}) == 2  # sample_with_labels and png_with_labels
        assert runs.count({"latents": rows, "labels": rows}) == 1


def test_a_wrong_label_in_a_batch_fails_its_own_request_alone(models, local):
    version = servable.Servable(str(models / "labelled" / "1"))
    signature, sizes = version.signatures["sample_with_labels"], []

    class Counted:
        def run(self, inputs, deadline):
            sizes.append(len(inputs["labels"]))
            return signature.run(inputs, deadline)

    class Leased:
        def hold(self):
            pass

        release = hold

    async def scenario():
        parameters = Parameters(max_batch_size=8, batch_timeout_micros=50_000, num_batch_threads=1)
        scheduler = Scheduler(parameters)
        batch = scheduler.queue(Counted(), Leased())
        until = time.monotonic() + 60
        rows = [{"seeds": np.array([seed]), "labels": np.array([label])} for seed, label in ((3, 1), (4, 7), (5, 0))]
        asked = [batch.run(inputs, until) for inputs in [*rows, {"seeds": np.arange(2), "labels": np.arange(1)}]]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        scheduler.close()
        return answers

    first, wrong, last, mismatched = asyncio.run(scenario())
    version.close()
    # All three together, then each by itself.
    assert sizes == [3, 1, 1, 1]
    expected = local.sample_with_labels([3, 5], [1, 0])
    np.testing.assert_array_equal(np.concatenate([first["images"], last["images"]]), expected)
    assert all(isinstance(error, ServingError) and error.code is Code.INVALID_ARGUMENT for error in (wrong, mismatched))
    assert wrong.message == "assertion failed: [labels: expected 0 to 2, found] [7]"
    assert "equal 0th-dimension size" in mismatched.message
