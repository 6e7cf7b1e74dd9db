"""Runs that start from the weights of an exported model."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import configs.digits
import configs.ring
import zoo
from export.saved_model import export_run
from trainers import build as building
from trainers import config as config_checks
from trainers import training, workdir
from zoo.errors import RequestError

PRESET = "ring/unrolled"


def ring(source, **changes):
    # Of the networks of `PRESET`; its dynamics would make a large graph.
    config = configs.ring.get_config("minimax")
    changes = {
        "train.steps": 2,
        "train.decay_from": 1.0,
        "train.checkpoint_every": 1,
        "train.steps_per_execution": 1,
        **changes,
    }
    config.update_from_flattened_dict({**changes, "init_from": source})
    return config


def build(config, path=None):
    return building.build(config, config_checks.check(config), workdir=path)


def test_both_networks_and_the_moving_average_start_from_a_pretrained_model():
    model, preset = build(ring(f"zoo:{PRESET}")).model, zoo.load(PRESET)
    for network, source in (
        (model.generator, "generator"),
        (model.averaged_generator, "generator"),
        (model.critic, "critic"),
    ):
        for variable, weight in zip(network.variables, preset.keras_model(source).variables, strict=True):
            np.testing.assert_array_equal(variable, weight)
    np.testing.assert_allclose(model.sample(range(8)), preset.sample(8), rtol=1e-4, atol=1e-5)
    assert int(model.step) == 0


def test_labels_follow_the_shares_of_the_run_s_own_data(tmp_path):
    config = configs.digits.get_config("conditional")
    config.init_from = "zoo:digits/conditional"
    data = config_checks.check(config)
    shares = np.arange(1.0, 11.0) / 55.0
    data.class_shares = lambda: shares
    model = building.build(config, data).model
    for generator in (model.generator, model.averaged_generator):
        np.testing.assert_allclose(generator.label_shares, shares, rtol=1e-6)


def test_a_run_that_started_from_a_model_resumes_without_it_and_tells_a_changed_source(tmp_path):
    source = export_run(_trained(tmp_path / "source", None), tmp_path / "models", "source").parent
    path = _trained(tmp_path / "run", os.fspath(source))
    started = workdir.read_config(path)["config"]["init_from"]
    assert started == os.fspath(source)
    first = building.open_run(path).model
    shutil.rmtree(source)
    # Sampling needs the checkpoint alone, and so does going on.
    assert int(building.open_run(path).model.step) == 2
    longer = ring(os.fspath(source), **{"train.steps": 3})
    training.train(build(longer, path))
    assert int(building.open_run(path).model.step) == 3
    other = ring(f"zoo:{PRESET}")
    with pytest.raises(RequestError, match=r"differs in init_from \(there '.*source', asked 'zoo:ring/unrolled'\)"):
        workdir.check_workdir(path, other)
    assert all(tf.reduce_all(tf.math.is_finite(weight)) for weight in first.generator.weights)


def _trained(path, source):
    config = ring(source)
    training.train(build(config, path))
    return path


def test_runs_from_the_same_model_are_equal_and_differ_from_fresh_ones(tmp_path):
    runs = {
        name: _trained(tmp_path / name, source)
        for name, source in (("one", f"zoo:{PRESET}"), ("two", f"zoo:{PRESET}"), ("fresh", None))
    }
    one, two, fresh = (
        [weight.numpy() for weight in building.open_run(path).model.generator.weights] for path in runs.values()
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two))
    assert not any(np.array_equal(a, b) for a, b in zip(one, fresh) if a.ndim == 2)


@pytest.mark.parametrize(
    "source, changes, message",
    [
        ("zoo:ring/unroled", {}, "config.init_from: 'ring/unroled'; did you mean 'ring/unrolled'"),
        ("nowhere", {}, "config.init_from: nowhere: no such directory"),
        (
            "zoo:ring/unrolled",
            {"generator.latent_dim": 3},
            r".*; weight 0 of its generator is \(16, 128\), of config.generator \(3, 128\)",
        ),
        (
            "zoo:digits/non_saturating",
            {},
            "config.init_from: 'zoo:digits/non_saturating'; weight 0 of its generator is",
        ),
        (
            "zoo:ring/unrolled",
            {"objective": "vae"},
            "config.init_from: 'zoo:ring/unrolled'; it holds no encoder, expected a model exported from",
        ),
    ],
)
def test_a_model_that_does_not_fit_is_refused_in_one_line(source, changes, message):
    config = configs.ring.get_config(changes.pop("objective", "minimax+unrolled"))
    config.update_from_flattened_dict({key: value for key, value in changes.items() if "." in key})
    config.init_from = source
    with pytest.raises(RequestError, match=f"^{message}"):
        build(config)


def test_a_saved_model_of_other_origin_holds_no_networks(tmp_path):
    module = tf.Module()
    tf.saved_model.save(module, os.fspath(tmp_path / "1"))
    with pytest.raises(RequestError, match=r"; it holds no generator, expected a model exported from a run"):
        build(ring(os.fspath(tmp_path)))
