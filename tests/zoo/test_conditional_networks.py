"""Class-conditional networks, against their definitions in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.errors import RequestError
from zoo.layers import SpectralNormalization
from zoo.noise import Noise

K = 3


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def points(count=6, dim=2):
    return np.random.default_rng(1).normal(size=(count, dim))


def generator(**options):
    return zoo.ConditionalGenerator((2,), K, "mlp", {"latent_dim": 4, "hidden_units": (8,)}, 5, **options)


def critic(told_by="projection", network=None, shape=(2,), family="mlp", **options):
    network = network or {"hidden_units": (8,), "activation": "tanh"}
    return zoo.ConditionalCritic(shape, K, family, network, told_by, 5, **{"dtype": "float64", **options})


def of_label(network, label):
    """Rows of a learned map of one-hot labels."""
    (kernel,) = network.get_weights()
    return kernel[np.asarray(label)]


def test_a_projection_critic_adds_the_inner_product_of_its_features_and_the_labels_vector():
    network, x, label = critic(), points(), np.array([0, 1, 2, 2, 1, 0])
    features = network.features(x, label=label).numpy()
    weight, bias = network.inner.head.get_weights()
    (vectors,) = network.projection.get_weights()
    expected = features @ weight + bias + np.sum(features * vectors.T[label], axis=1, keepdims=True)
    np.testing.assert_allclose(network(x, label=label).numpy(), expected, rtol=1e-12)
    # The label changes the score and not the features.
    other = (label + 1) % K
    np.testing.assert_array_equal(network.features(x, label=other).numpy(), features)
    assert not np.any(network(x, label=other).numpy() == expected)


def test_a_concatenation_critic_of_points_scores_them_with_the_labels_vector_behind_them():
    network, x, label = critic("concatenation"), points(), np.array([0, 1, 2, 2, 1, 0])
    seen = np.concatenate([x, of_label(network.embedding, label)], axis=1)
    assert seen.shape == (6, 7)
    np.testing.assert_array_equal(network(x, label=label).numpy(), network.inner(seen).numpy())
    np.testing.assert_array_equal(network.features(x, label=label).numpy(), network.inner.features(seen).numpy())


def test_a_concatenation_critic_of_images_sees_the_label_as_a_channel():
    network = critic("concatenation", {"base_filters": 2}, (8, 8, 3), "dcgan")
    x, label = np.random.default_rng(1).normal(size=(4, 8, 8, 3)), np.array([0, 1, 2, 2])
    seen = np.concatenate([x, of_label(network.embedding, label).reshape(4, 8, 8, 1)], axis=-1)
    np.testing.assert_array_equal(network(x, label=label).numpy(), network.inner(seen).numpy())


@pytest.mark.parametrize("told_by", ["projection", "concatenation"])
def test_the_score_is_differentiable_by_the_labels_weights(told_by):
    network, x, label = critic(told_by), points(), np.array([0, 0, 2, 2, 0, 0])
    learned = network.projection if told_by == "projection" else network.embedding
    (kernel,) = learned.trainable_variables
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(network(x, label=label, training=True))
    gradient = tape.gradient(total, kernel.value)
    assert isinstance(gradient, tf.Tensor)  # Dense: dynamics compute with it.
    of_class = np.abs(gradient.numpy().T if told_by == "projection" else gradient.numpy()).sum(axis=1)
    assert of_class[0] > 0 and of_class[2] > 0 and of_class[1] == 0


def test_spectral_normalisation_is_on_the_projection_too():
    network = critic(network={"hidden_units": (8,), "normalization": "spectral"})
    assert any(isinstance(layer, SpectralNormalization) for layer in network.projection._flatten_layers())
    for _ in range(30):  # Power iterations, a step each.
        network(points(), label=np.zeros(6, np.int64), training=True)
    features, label = network.features(points(), label=np.zeros(6, np.int64)).numpy(), np.arange(6) % K
    slopes = network.projection(tf.eye(8, dtype=tf.float64)).numpy()
    assert np.linalg.svd(slopes, compute_uv=False)[0] == pytest.approx(1.0, abs=1e-3)
    assert np.isfinite(network(points(), label=label).numpy()).all() and features.shape == (6, 8)


def test_a_generator_gives_its_network_latents_and_the_labels_embedding():
    network, label = generator(dtype="float64"), np.array([0, 1, 2, 0])
    latents = np.random.default_rng(1).normal(size=(4, 5))
    assert network.latent_dim == 5
    seen = np.concatenate([latents[:, 1:], of_label(network.embedding, label)], axis=1)
    made = network(latents, label=label).numpy()
    np.testing.assert_allclose(made, network.inner(seen).numpy(), rtol=1e-12)
    # The latent that chooses the label has no other effect.
    latents[:, 0] += 1.0
    np.testing.assert_array_equal(network(latents, label=label).numpy(), made)


def test_the_labels_embeddings_start_as_long_as_one_hot_labels():
    network = zoo.ConditionalGenerator((2,), 50, "mlp", {"latent_dim": 4}, 400)
    lengths = np.linalg.norm(network.embedding.get_weights()[0], axis=1)
    # The length of 400 normals is known to 1/28 of itself.
    np.testing.assert_allclose(lengths, 1.0, atol=5 / 28)


def test_a_seed_decides_the_label_by_the_classes_shares():
    network, shares = generator(), np.array([0.5, 0.0, 0.5 - 1e-6])
    latents = Noise.of_seeds(range(20_000)).latents(network.latent_dim)
    np.testing.assert_allclose(network.label_shares.numpy(), 1 / K, rtol=1e-6)
    # The first latent alone decides.
    others = tf.concat([latents[:, :1], latents[:, :0:-1]], axis=1)
    np.testing.assert_array_equal(network.labels(others), network.labels(latents))
    # Five standard deviations of a share.
    tolerance = 5 * np.sqrt(0.25 / 20_000)
    equal = np.bincount(network.labels(latents).numpy(), minlength=K) / 20_000
    np.testing.assert_allclose(equal, 1 / K, atol=tolerance)
    network.set_label_shares(shares)
    labels = network.labels(latents)
    assert labels.dtype == tf.int64
    found = np.bincount(labels.numpy(), minlength=K) / 20_000
    np.testing.assert_allclose(found, shares, atol=tolerance)
    assert found[1] == 0  # A class without examples is never chosen.
    np.testing.assert_array_equal(network(latents).numpy(), network(latents, label=labels).numpy())


def test_a_narrow_compute_dtype_does_not_change_the_labels():
    wide, narrow = generator(), generator(dtype="mixed_bfloat16")
    latents = Noise.of_seeds(range(5_000)).latents(5)
    seen = []
    narrow.labels = lambda latents: seen.append(latents) or wide.labels(latents)
    assert narrow(latents).dtype == tf.float32
    np.testing.assert_array_equal(seen[0].numpy(), latents.numpy())


@pytest.mark.parametrize(
    "network, batch",
    [
        (lambda: generator(), {"latents": 5}),
        (lambda: critic("concatenation", dtype="float32"), {"x": 2}),
        (lambda: critic("projection", {"base_filters": 2}, (8, 8, 1), "dcgan", dtype="float32"), {"x": (8, 8, 1)}),
    ],
)
def test_a_network_is_built_again_from_its_config(network, batch):
    network = network()
    twin = type(network).from_config(network.get_config())
    twin.set_weights(network.get_weights())
    ((_, shape),) = batch.items()
    x = np.random.default_rng(0).normal(size=(3, *np.atleast_1d(shape))).astype(np.float32)
    np.testing.assert_array_equal(twin(x, label=np.arange(3)).numpy(), network(x, label=np.arange(3)).numpy())


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: critic("sum"), "'sum'; expected one of projection, concatenation"),
        (lambda: critic(family="mlp_autoencoder"), "'mlp_autoencoder' is not told labels; use mlp, dcgan or resnet"),
        (
            lambda: critic("concatenation", {"normalization": "virtual_batch"}),
            "'concatenation'; the reference batch of virtual batch normalisation has no labels, use projection",
        ),
        (lambda: zoo.ConditionalGenerator((2,), K, "gaussian_mixture"), "is not told labels; use mlp, dcgan or resnet"),
    ],
)
def test_what_cannot_be_told_labels_is_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


def test_an_encoder_beside_it_is_not_told_labels():
    encoder = zoo.Encoder.beside(critic("concatenation"), 7)
    assert encoder(points()).shape == (6, 7) and encoder.network["hidden_units"] == (8,)
