"""Densities: SciPy's logarithms of them, samples that follow them, gradients, configs, images."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from scipy.special import logsumexp

import zoo


def gaussian():
    model, rng = zoo.Gaussian((2,), dtype="float64"), np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    mean, log_diagonal, below = (variable.numpy() for variable in model.trainable_variables)
    factor = np.tril(below, -1) + np.diag(np.exp(log_diagonal))
    return model, stats.multivariate_normal(mean, factor @ factor.T).logpdf


def gaussian_mixture():
    model, rng = zoo.GaussianMixture((2,), components=3, dtype="float64"), np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    logits, means, log_scales = (variable.numpy() for variable in model.trainable_variables)
    parts = [stats.multivariate_normal(m, np.diag(np.exp(2 * s))) for m, s in zip(means, log_scales)]
    shares = logits - logsumexp(logits)
    return model, lambda x: logsumexp([share + part.logpdf(x) for share, part in zip(shares, parts)], axis=0)


EVERY = pytest.mark.parametrize("build", [gaussian, gaussian_mixture])


@EVERY
def test_log_density_is_scipys(build):
    model, oracle = build()
    x = np.random.default_rng(1).normal(size=(50, 2))
    found = model.log_density(tf.constant(x))
    assert (found.shape, found.dtype) == ((50,), tf.float64)
    np.testing.assert_allclose(found, oracle(x), rtol=1e-11)


@EVERY
def test_samples_follow_the_density(build):
    """E f(x) over samples against the integral of f times the density on a grid, for moments up to the second."""
    model, oracle = build()
    latents = np.random.default_rng(2).normal(size=(200_000, model.latent_dim))
    samples = model(tf.constant(latents)).numpy()
    line = np.linspace(-25, 25, 1001)
    grid = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    mass = np.exp(oracle(grid)) * (line[1] - line[0]) ** 2
    np.testing.assert_allclose(mass.sum(), 1.0, atol=1e-4)
    for moment in (
        lambda x: x[:, 0],
        lambda x: x[:, 1],
        lambda x: x[:, 0] * x[:, 1],
        lambda x: x[:, 0] ** 2,
        lambda x: x[:, 1] ** 2,
    ):
        of_samples = moment(samples)
        # Five standard errors.
        error = 5 * of_samples.std() / np.sqrt(len(of_samples))
        np.testing.assert_allclose(of_samples.mean(), (mass * moment(grid)).sum(), atol=error)


def test_a_gaussian_is_the_affine_map_of_its_latents():
    model, _ = gaussian()
    latents = np.random.default_rng(3).normal(size=(5, 2))
    mean, log_diagonal, below = (variable.numpy() for variable in model.trainable_variables)
    factor = np.tril(below, -1) + np.diag(np.exp(log_diagonal))
    np.testing.assert_allclose(model(latents), mean + latents @ factor.T, rtol=1e-12)


def test_the_first_latent_chooses_a_gaussian_mixtures_component_by_its_share():
    model = zoo.GaussianMixture((1,), components=2, dtype="float64")
    for variable, value in zip(model.trainable_variables, (np.log([0.25, 0.75]), [[-10.0], [10.0]], [[0.0], [0.0]])):
        variable.assign(value)
    first = stats.norm.ppf([0.01, 0.249, 0.251, 0.99, 1.0 - 1e-16])
    latents = np.stack([first, np.full(5, 0.5)], axis=1)
    np.testing.assert_allclose(model(latents)[:, 0], [-9.5, -9.5, 10.5, 10.5, 10.5])


@EVERY
def test_log_density_reaches_every_weight(build):
    model, _ = build()
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model.log_density(tf.constant(np.random.default_rng(1).normal(size=(5, 2)))))
    for gradient in tape.gradient(total, [variable.value for variable in model.trainable_variables]):
        assert float(tf.reduce_max(tf.abs(gradient))) > 0.0


@EVERY
def test_config_round_trip_gives_the_same_density(build):
    model, _ = build()
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    latents = np.random.default_rng(1).normal(size=(4, model.latent_dim))
    np.testing.assert_array_equal(again(latents), model(latents))
    np.testing.assert_array_equal(again.log_density(tf.constant(latents[:, :2])), model.log_density(latents[:, :2]))


def test_mixed_precision_does_not_round_them():
    model = zoo.Gaussian((2,), dtype="mixed_bfloat16")
    latents = np.random.default_rng(1).normal(size=(4, 2)).astype(np.float32)
    np.testing.assert_array_equal(model(latents), latents)


@pytest.mark.parametrize("build", [zoo.Gaussian, zoo.GaussianMixture])
def test_images_are_points_whose_coordinates_are_the_pixels(build):
    model, flat = build((2, 3, 1), dtype="float64"), build((6,), dtype="float64")
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    flat.set_weights(model.get_weights())
    latents = rng.normal(size=(4, model.latent_dim))
    images = model(latents)
    assert images.shape == (4, 2, 3, 1)
    np.testing.assert_array_equal(tf.reshape(images, [4, 6]), flat(latents))
    np.testing.assert_array_equal(model.log_density(images), flat.log_density(tf.reshape(images, [4, 6])))
