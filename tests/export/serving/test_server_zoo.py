"""The server on the pretrained models."""

import json
import types
import urllib.request

import numpy as np
import pytest
from harness import serving

import zoo
from export.serving import server
from export.serving.client import Client
from zoo import pretrained
from zoo.errors import RequestError

FLAGS = {
    "model_name": "default",
    "model_config_file": None,
    "enable_batching": False,
    "monitoring_config_file": None,
    "ssl_config_file": None,
}


def test_all_of_them_are_served_and_sampled(tmp_path):
    from ovmsclient import make_grpc_client

    names = [row["name"] for row in zoo.list_models()]
    with serving(tmp_path, "--model_base_path=zoo:") as running:
        plain = make_grpc_client(f"{running.host}:{running.grpc_port}")
        for name in names:
            served, expected = name.replace("/", "_"), zoo.load(name).sample(3)
            with Client(f"{running.host}:{running.grpc_port}", served) as client:
                np.testing.assert_allclose(next(client.sample(range(3))), expected, atol=1e-5)
            latents = np.zeros([2, zoo.load(name).card["latent_dim"]], np.float32)
            assert plain.predict({"latents": latents}, served, 1).shape == (2, *expected.shape[1:])
            url = f"http://{running.host}:{running.rest_port}/v1/models/{served}:predict"
            body = json.dumps({"signature_name": "sample", "instances": [0, 1, 2]}).encode()
            with urllib.request.urlopen(url, body) as answer:
                np.testing.assert_allclose(json.load(answer)["predictions"], expected, atol=1e-5)


def config_of(path, **changes):
    config, *_ = server.read_configs(types.SimpleNamespace(**{**FLAGS, "model_base_path": path, **changes}))
    return {model.name: model.base_path for model in config.model_config_list.config}


def test_one_of_them_is_served_under_the_model_name():
    folder = str(pretrained.locate("ring/unrolled").parent)
    assert config_of("zoo:ring/unrolled") == {"default": folder}
    assert config_of("zoo:ring/unrolled", model_name="ring") == {"ring": folder}
    with pytest.raises(RequestError, match=r"^--model_base_path: 'ring/unroled'; did you mean 'ring/unrolled'"):
        config_of("zoo:ring/unroled")
