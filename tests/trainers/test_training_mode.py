"""Networks run in training mode in every loss of every objective, and in inference mode only for sampling.

Batch normalisation, virtual batch normalisation and spectral normalisation differ between the modes, so a loss in the
wrong mode trains another network than the one that is sampled.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainers import objectives
from trainers.techniques.zero_centred import ZeroCentred
from zoo.batch import Batch


@pytest.fixture
def modes(monkeypatch):
    """The (layer, training) of every call of a layer that tells the modes apart, networks included, as they come."""
    seen, call = [], keras.layers.Layer.__call__

    def spy(self, *args, **kwargs):
        if "training" in kwargs:
            seen.append((self, kwargs["training"]))
        return call(self, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", spy)
    return seen


def of(network, modes):
    """The modes in which the layers of `network` were called."""
    layers = {id(layer) for layer in network._flatten_layers()}
    return {training for layer, training in modes if id(layer) in layers}


@pytest.mark.parametrize("objective", [*objectives.METHODS.names(), "mixture", "conditional"])
def test_losses_are_taken_in_training_mode_and_samples_are_not(objective, small_config, build, modes):
    gan = build(small_config(objective, {"mixture.components": 2} if objective == "mixture" else {})).model
    # An explicit density has no layers, nor has a Boltzmann machine.
    networks = [] if "contrastive" in objective or objective == "rbm" else gan.networks.values()
    if objective == "non_saturating":
        gan.techniques = (ZeroCentred(),)
    del modes[:]
    examples = np.random.default_rng(0).normal(size=(4, *gan.generator.data_shape)).astype(np.float32)
    batch = (examples, np.arange(4)) if objective == "conditional" else examples
    if objective == "stacked":
        batch = Batch(examples, {"caption": np.full([4, gan.generator.caption_words], 2)})
    gan.train_step((batch,) * gan.batches_per_step)
    assert {training for _, training in modes} <= {True}
    for network in networks:
        assert of(network, modes) == {True}
    del modes[:]
    gan.sample(range(3))
    gan(tf.zeros([3, gan.latent_dim]))
    assert {training for _, training in modes} == {False}
