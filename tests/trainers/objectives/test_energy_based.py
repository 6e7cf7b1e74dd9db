"""EBGAN: a linear autoencoder in NumPy with the pull-away term as a sum over pairs, differences, two replicas."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers.penalties import pull_away
from zoo.batch import Batch
from zoo.errors import RequestError


def build(make, **options):
    critic = zoo.MLPAutoencoder((3,), code_dim=2, hidden_units=(), dtype="float64")
    return make("energy_based", critic=critic, **options)


def energies(weights, x):
    encoding, offset, decoding, shift = weights
    return np.linalg.norm((x @ encoding + offset) @ decoding + shift - x, axis=1)


def by_pairs(codes):
    """The survey's f_PT as it is printed."""
    count, total = len(codes), 0.0
    for i in range(count):
        for j in range(count):
            if i != j:
                total += (codes[i] @ codes[j] / np.linalg.norm(codes[i]) / np.linalg.norm(codes[j])) ** 2
    return total / (count * (count - 1))


def test_critic_loss_and_weight_gradient(make, points, noise_of, weight_gradient, differences, assert_gradients):
    gan, (real, fake) = build(make, margin=4.0), points(8)

    def oracle(*weights):
        return energies(weights, real).mean() + np.maximum(4.0 - energies(weights, fake), 0.0).mean()

    weights = gan.critic.get_weights()
    assert energies(weights, fake).min() < 4.0 < energies(weights, fake).max()  # both sides of the hinge
    value, found = weight_gradient(
        lambda: gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise_of(8)),
        gan.critic,
    )
    # Oracle: NumPy, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-12)
    assert_gradients(found, differences(oracle, weights))


def test_generator_loss_and_gradient_with_the_pull_away_term(
    make, points, noise_of, value_and_gradient, differences, assert_gradients
):
    gan, (real, fake) = build(make, pull_away_weight=0.7), points(6)
    weights = gan.critic.get_weights()

    def oracle(fake):
        return energies(weights, fake).mean() + 0.7 * by_pairs(fake @ weights[0] + weights[1])

    value, found = value_and_gradient(
        lambda fake: gan.compute_generator_loss(Batch(tf.constant(real)), Batch(fake), noise_of(6)), [fake]
    )
    np.testing.assert_allclose(value, oracle(fake), rtol=1e-12)
    assert_gradients(found, differences(oracle, [fake]))


def test_the_pull_away_term_is_between_orthogonal_and_parallel():
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    np.testing.assert_allclose(pull_away(tf.constant(directions)), 0.0, atol=1e-14)
    line = np.outer([1.0, -2.0, 3.0, 0.5], [0.3, -0.4])
    np.testing.assert_allclose(pull_away(tf.constant(line)), 1.0, rtol=1e-12)
    for seed in range(20):
        assert 0.0 <= float(pull_away(tf.constant(np.random.default_rng(seed).normal(size=(7, 3))))) <= 1.0
    assert float(pull_away(tf.ones([1, 4]))) == 0.0


def test_codes_without_a_direction_count_as_orthogonal(value_and_gradient, differences, assert_gradients):
    (value, (gradient,)) = value_and_gradient(pull_away, [np.zeros((4, 3))])
    assert value == 0.0 and not gradient.any()
    codes = np.array([[3.0, 4.0], [0.0, 0.0], [6.0, 8.0], [-4.0, 3.0]])
    value, (gradient,) = value_and_gradient(pull_away, [codes])
    # One parallel pair of six; a zero code stays one however the others turn.
    np.testing.assert_allclose(value, 1.0 / 6.0, rtol=1e-12)
    assert_gradients([gradient[[0, 2, 3]]], [differences(pull_away, [codes])[0][[0, 2, 3]]])
    # Too short to be normalised, where cosines are counted less; in float32, where it shows first.
    for length in (1e-5, 1e-6, 1e-7, 1e-8, 1e-20):
        codes = length * np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
        assert 0.0 <= float(pull_away(tf.constant(codes))) <= 1.0, length


def test_two_replicas_pull_away_over_all_pairs(make, points, assert_replicas_agree):
    real, _ = points(6)
    latents = np.random.default_rng(5).normal(size=(6, 2))

    def loss(gan, real, latents):
        return gan.compute_generator_loss(real, Batch(gan.generator(latents.x)), None)

    assert_replicas_agree(lambda: build(make, pull_away_weight=5.0), loss, "generator", real, latents)


def test_a_perfect_reconstruction_has_no_nan(make, points, noise_of, weight_gradient):
    gan, (real, fake) = build(make), points(4)
    gan.critic.set_weights([np.zeros_like(weight) for weight in gan.critic.get_weights()])
    nothing = tf.zeros_like(tf.constant(real))
    value, gradients = weight_gradient(
        lambda: gan.compute_critic_loss(Batch(nothing), Batch(tf.constant(fake)), None), gan.critic
    )
    np.testing.assert_allclose(value, (10.0 - np.linalg.norm(fake, axis=1)).mean(), rtol=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_wrong_requests_are_refused(make):
    with pytest.raises(RequestError, match=r"needs an autoencoder, not MLPCritic; use mlp_autoencoder"):
        make("energy_based")
    with pytest.raises(RequestError, match=r"config.objective_options.margin: 0; expected a number above 0"):
        build(make, margin=0)
    with pytest.raises(RequestError, match=r"config.objective_options.pull_away_weight: -0.1"):
        build(make, pull_away_weight=-0.1)
