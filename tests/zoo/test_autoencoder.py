"""Autoencoder critics and encoders: shapes, the energy as a norm, configs, precision, refusals."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import RequestError


def build(family, **options):
    keras.utils.set_random_seed(0)
    if family == "mlp":
        return zoo.MLPAutoencoder((8, 8, 1), code_dim=5, hidden_units=(7, 6), **options)
    return zoo.DCGANAutoencoder((8, 8, 1), code_dim=5, base_filters=2, **options)


def images(count=4):
    return np.random.default_rng(1).uniform(-1, 1, (count, 8, 8, 1)).astype(np.float32)


EVERY = pytest.mark.parametrize("family", ["mlp", "dcgan"])


@EVERY
@pytest.mark.parametrize("normalization", ["none", "batch", "layer", "spectral", "virtual_batch"])
def test_the_energy_is_the_norm_of_what_reconstruction_misses(family, normalization):
    network, x = build(family, normalization=normalization), images()
    codes, again = network.features(x), network.reconstruct(x)
    assert (codes.shape, again.shape) == ((4, 5), (4, 8, 8, 1))
    np.testing.assert_array_equal(network.decode(codes), again)
    energies = network(x)
    assert (energies.shape, energies.dtype) == ((4, 1), tf.float32)
    missed = (again.numpy().astype(np.float64) - x).reshape(4, 64)
    np.testing.assert_allclose(energies[:, 0], np.linalg.norm(missed, axis=1), rtol=1e-5)


@EVERY
def test_config_round_trip_gives_the_same_function(family):
    network, x = build(family), images()
    again = type(network).from_config(network.get_config())
    assert again.get_config() == network.get_config()
    assert not np.array_equal(again(x), network(x))
    again.set_weights(network.get_weights())
    np.testing.assert_array_equal(again(x), network(x))


@EVERY
def test_a_saved_network_loads_as_itself(family, tmp_path):
    network, x = build(family), images()
    network.save(tmp_path / "critic.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "critic.keras")(x), network(x))


@EVERY
def test_gradients_reach_every_weight_of_both_halves(family):
    network, x = build(family, normalization="batch"), images(16)
    with tf.GradientTape() as tape:
        energy = tf.reduce_mean(network(x, training=True))
    variables = network.trainable_variables
    for variable, gradient in zip(variables, tape.gradient(energy, [variable.value for variable in variables])):
        # A bias in front of a batch normalisation has no effect; every other weight has.
        assert gradient is not None, variable.path
        if "bias" not in variable.path:
            assert float(tf.reduce_max(tf.abs(gradient))) > 0.0, variable.path


@EVERY
def test_mixed_precision_measures_distances_to_unrounded_examples(family):
    network, x = build(family, dtype="mixed_bfloat16"), images()
    energies = network(x)
    assert energies.dtype == tf.float32
    missed = (network.reconstruct(x).numpy().astype(np.float64) - x).reshape(4, 64)
    np.testing.assert_allclose(energies[:, 0], np.linalg.norm(missed, axis=1), rtol=1e-4)


def test_it_reconstructs_images_of_28_pixels_and_refuses_30():
    network = zoo.DCGANAutoencoder((28, 28, 1), base_filters=2)
    assert network.reconstruct(tf.zeros([2, 28, 28, 1])).shape == (2, 28, 28, 1)
    with pytest.raises(RequestError, match="30x30 pixels"):
        zoo.DCGANAutoencoder((30, 30, 1))
    with pytest.raises(RequestError, match="normalization: 'groups'; expected one of"):
        zoo.MLPAutoencoder((2,), normalization="groups")


def test_an_encoder_has_a_critics_layers_and_a_code():
    critic = zoo.DCGANCritic((8, 8, 1), base_filters=2, normalization="layer")
    encoder = zoo.Encoder.beside(critic, 6)
    assert encoder(images()).shape == (4, 6)
    shapes = [tuple(variable.shape) for variable in critic.trunk.trainable_variables]
    assert [tuple(variable.shape) for variable in encoder.trunk.trainable_variables] == shapes
    again = zoo.Encoder.from_config(encoder.get_config())
    again.set_weights(encoder.get_weights())
    np.testing.assert_array_equal(again(images()), encoder(images()))
