"""A super-resolution model through both protocols, by the client and by the program."""

import numpy as np
import pytest
import requests
import tensorflow as tf
from harness import TIMEOUT, predict, program
from PIL import Image

from export.generators import Generator
from export.serving.client import Client
from zoo.errors import RequestError

SMALL = np.random.default_rng(0).integers(0, 256, [2, 3, 5, 1], np.uint8)


@pytest.fixture(scope="module")
def expected(models):
    return Generator.load(models / "upscaler").upscale(SMALL)


def test_images_of_any_size_over_both_protocols(server, expected):
    response = predict(server, "upscaler", {"low_resolution": SMALL}, "upscale")
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["images"]), expected)
    body = {"signature_name": "upscale", "instances": SMALL.tolist()}
    answer = requests.post(server.url("/v1/models/upscaler:predict"), json=body, timeout=TIMEOUT)
    assert answer.json() == {"predictions": expected.tolist()}


def test_the_client_and_the_program(server, expected, tmp_path):
    address = f"{server.host}:{server.grpc_port}"
    with Client(address, "upscaler") as client:
        np.testing.assert_array_equal(client.upscale(SMALL), expected)
        with pytest.raises(RequestError, match="expected 262144 pixels at most"):
            client.upscale(np.zeros([1, 2**10, 2**8 + 1, 1], np.uint8))
    Image.fromarray(SMALL[0, ..., 0]).save(tmp_path / "small.png")
    ask = (f"--server={address}", f"--images={tmp_path}/small.png", f"--out={tmp_path}/large.png")
    done = program(*ask, "--model=upscaler", module="export.sample")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "large.png")), expected[0, ..., 0])
    done = program(*ask, "--model=generator", module="export.sample")
    assert done.returncode == 2 and 'signature key "low_resolution" not found' in done.stderr, done.stderr
