"""A generator of captions through both protocols, by the client and by the program."""

import numpy as np
import pytest
import requests
import tensorflow as tf
from harness import TIMEOUT, predict, program

from export.generators import Generator
from export.serving.client import Client
from zoo.errors import RequestError

SEEDS, CAPTIONS = np.arange(3), ["a red circle", "A white cross, at the centre!", "blue"]


@pytest.fixture(scope="module")
def local(models):
    return Generator.load(models / "captioned")


def test_captions_over_both_protocols(server, local):
    expected = local.sample_with_captions(SEEDS, CAPTIONS)
    given = {"seeds": SEEDS, "captions": np.array([text.encode() for text in CAPTIONS], object)}
    response = predict(server, "captioned", given, "sample_with_captions")
    np.testing.assert_array_equal(tf.make_ndarray(response.outputs["images"]), expected)

    def ask(signature, instances):
        body = {"signature_name": signature, "instances": instances}
        return requests.post(server.url("/v1/models/captioned:predict"), json=body, timeout=TIMEOUT)

    rows = [{"seeds": int(seed), "captions": caption} for seed, caption in zip(SEEDS, CAPTIONS)]
    assert ask("sample_with_captions", rows).json() == {"predictions": expected.tolist()}
    assert ask("captions", SEEDS.tolist()).json() == {"predictions": local.captions(SEEDS)}
    refused = ask("sample_with_captions", [{"seeds": 1, "captions": "xyz"}])
    assert refused.status_code == 400 and "captions: none of the words is known in" in refused.json()["error"]


def test_the_client_and_the_program(server, local, tmp_path):
    address = f"{server.host}:{server.grpc_port}"
    with Client(address, "captioned") as client:
        assert client.captions(SEEDS) == local.captions(SEEDS)
        found = list(client.sample(range(5), captions="a red circle", batch_size=2))
        assert [len(batch) for batch in found] == [2, 2, 1]
        expected = local.sample_with_captions(range(5), ["a red circle"] * 5)
        np.testing.assert_array_equal(np.concatenate(found), expected)
        (pngs,) = client.png(SEEDS, captions=CAPTIONS)
        np.testing.assert_array_equal(tf.io.decode_png(pngs[1]), local.sample_with_captions(SEEDS, CAPTIONS)[1])
        made = client.generate(client.latents(SEEDS), captions=CAPTIONS)
        assert made.dtype == np.float32 and made.shape == (3, 32, 32, 3)
        for captions, message in ((CAPTIONS[:2], "captions: found 2; expected a text"), ([1, 2, 3], "captions: found")):
            with pytest.raises(RequestError, match=message):
                next(client.sample(SEEDS, captions=captions))
        with pytest.raises(RequestError, match="labels, captions: both given"):
            next(client.sample(SEEDS, captions=CAPTIONS, labels=1))
    ask = (f"--server={address}", "--caption=a red circle", "--num=5", f"--out={tmp_path}/x.npy")
    done = program(*ask, "--model=captioned", module="export.sample")
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), expected)
    done = program(*ask, "--model=generator", module="export.sample")
    assert done.returncode == 2 and 'signature key "sample_with_captions" not found' in done.stderr, done.stderr
