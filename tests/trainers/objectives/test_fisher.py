"""Fisher GAN: NumPy and differences; the multiplier's steps; the optimum for two Gaussians by integration; training."""

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

import zoo
from trainers import objectives
from trainers.dynamics.unrolled import Unrolled
from zoo.batch import Batch
from zoo.errors import RequestError

P, Q = scipy.stats.norm(0.0, 1.0), scipy.stats.norm(1.5, 0.7)


def second_moment(real, fake):
    return 0.5 * (real**2).mean() + 0.5 * (fake**2).mean()


def lagrangian(real, fake, multiplier, rho):
    """Equation 9 as it is printed, which the critic maximises."""
    moment = second_moment(real, fake)
    return real.mean() - fake.mean() + multiplier * (1.0 - moment) - rho / 2 * (moment - 1.0) ** 2


def test_losses_and_gradients_equal_the_printed_lagrangian(
    make, points, value_and_gradient, differences, assert_gradients
):
    gan, (real, fake) = make("fisher", rho=0.7), points(6, dim=1)

    def critic_loss(real, fake):
        gan.multiplier.assign(0.4)
        return gan.critic_loss(real, fake)

    value, gradients = value_and_gradient(critic_loss, [real, fake])
    # NumPy in float64: to rounding.
    np.testing.assert_allclose(value, -lagrangian(real, fake, 0.4, 0.7), rtol=1e-12)
    assert_gradients(gradients, differences(lambda *scores: -lagrangian(*scores, 0.4, 0.7), [real, fake]))
    value, (gradient,) = value_and_gradient(gan.generator_loss, [fake])
    np.testing.assert_allclose(value, -fake.mean(), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.full_like(fake, -1 / 6), rtol=1e-12)


def test_the_multiplier_descends_the_lagrangian_at_rate_rho(make, points):
    gan, (real, fake) = make("fisher", rho=0.7), points(6, dim=1)
    assert gan.multiplier.numpy() == 0.0
    expected = 0.0
    for scale in (2.0, 0.1, 3.0):
        gan.critic_loss(tf.constant(scale * real), tf.constant(scale * fake))
        # λ - ρ ∂L/∂λ, and ∂L/∂λ = 1 - Ω.
        expected -= 0.7 * (1.0 - second_moment(scale * real, scale * fake))
        np.testing.assert_allclose(gan.multiplier.numpy(), expected, rtol=1e-12)


def test_it_moves_once_in_each_critic_step_of_any_dynamics(make):
    real = np.random.default_rng(0).normal(size=(6, 3))
    moved = []
    for dynamics in (None, Unrolled(steps=3, surrogate="sgd")):
        gan = make("fisher", rho=0.1, dynamics=dynamics)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
        gan.train_step((real,) * gan.batches_per_step)
        gan.step.assign(0)  # for the step's own noise
        fake = [gan.generator(gan.noise(6, draw).latents(2)).numpy() for draw in range(gan.batches_per_step)]
        scores = [(gan.critic(real).numpy(), gan.critic(each).numpy()) for each in fake]
        expected = sum(0.1 * (second_moment(*pair) - 1.0) for pair in scores)
        # Weights that rest, so that each step adds the excess of its own batch.
        np.testing.assert_allclose(gan.multiplier.numpy(), expected, rtol=1e-12)
        moved.append(len(scores))
    assert moved == [2, 1]


@pytest.mark.parametrize("multiplier", [0.0, 0.6])
def test_two_replicas_constrain_the_second_moment_of_the_whole_batch(
    make, points, noise_of, assert_replicas_agree, multiplier
):
    real, fake = points(6)
    real[:3] *= 5.0  # the replicas' own second moments differ

    def build():
        gan = make("fisher", rho=0.9)
        gan.multiplier.assign(multiplier)
        return gan

    assert_replicas_agree(build, lambda gan, r, f: gan.compute_critic_loss(r, f, None), "critic", real, fake)


def distance():
    """(∫ (p - q)² / ((p + q)/2))^½ by adaptive quadrature."""
    value, error = scipy.integrate.quad(
        lambda x: 2.0 * (P.pdf(x) - Q.pdf(x)) ** 2 / (P.pdf(x) + Q.pdf(x)), -9, 9, epsabs=1e-12, limit=400
    )
    assert error < 1e-8
    return np.sqrt(value)


def quantiles(count):
    """Points of equal mass: a mean over them is an integral by the midpoint rule in the distribution function."""
    levels = (np.arange(count) + 0.5) / count
    return P.ppf(levels)[:, None], Q.ppf(levels)[:, None]


def test_at_the_optimum_the_moment_is_one_and_the_estimate_the_distance(make, value_and_gradient):
    gan, (real, fake), found = make("fisher", rho=0.3), quantiles(200_000), distance()

    def optimal(x):
        return 2.0 * (P.pdf(x) - Q.pdf(x)) / (P.pdf(x) + Q.pdf(x)) / found

    def loss(real_scores, fake_scores):
        gan.multiplier.assign(found / 2.0)
        return gan.critic_loss(real_scores, fake_scores)

    scores = [optimal(real), optimal(fake)]
    value, gradients = value_and_gradient(loss, scores)
    # The midpoint rule with 200,000 points, some of them far out: 3e-7.
    np.testing.assert_allclose(second_moment(*scores), 1.0, rtol=1e-6)
    np.testing.assert_allclose(-value, found, rtol=1e-6)
    np.testing.assert_allclose(gan.multiplier.numpy(), found / 2.0, rtol=1e-6)  # a fixed point of its steps
    for direction in (np.sin, np.tanh, np.ones_like, lambda x: x, lambda x: np.exp(-(x**2))):
        # In function space: each point of the line has both densities.
        slope = sum((gradient * direction(x)).sum() for gradient, x in zip(gradients, (real, fake)))
        np.testing.assert_allclose(slope, 0.0, atol=1e-5)
        for step in (-0.1, 0.1):
            moved = [tf.constant(s + step * direction(x)) for s, x in zip(scores, (real, fake))]
            assert float(loss(*moved)) > value


def gaussians():
    """Two Gaussians on the line, and their distance."""
    return *quantiles(512), distance()


def ring():
    """The ring, and the half of its modes that a collapsed generator has."""
    data = zoo.datasets.load("ring")
    points = data.arrays("train", 1_024)[0]
    nearest = np.linalg.norm(points[:, None] - data.modes, axis=2).argmin(1)
    # As many points in each mode as the densities have; the same ones, so that a critic cannot tell samples apart.
    of_mode = [np.resize(points[nearest == mode], (128, 2)) for mode in range(8)]
    real, fake = np.concatenate(of_mode), np.concatenate([*of_mode[::2], *of_mode[::2]])
    # 2 (p - q)² / (p + q), summed: 1/12 in each of four modes, 1/4 in the others.
    return real, fake, np.sqrt(4 / 3)


@pytest.mark.parametrize("data", [gaussians, ring])
def test_a_trained_critic_meets_the_constraint_and_measures_the_distance(data):
    keras.utils.set_random_seed(0)
    real, fake, expected = data()
    dim = real.shape[1]
    generator = zoo.MLPGenerator((dim,), latent_dim=1, hidden_units=())
    critic = zoo.MLPCritic((dim,), hidden_units=(32, 32), activation="tanh")
    gan = objectives.METHODS.load("fisher")(generator, critic, rho=1e-2)
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 2_000)
    gan.compile(critic_optimizer=keras.optimizers.Adam(rate))
    real, fake = (Batch(tf.constant(x, tf.float32)) for x in (real, fake))

    @tf.function(autograph=False, jit_compile=True)
    def train():
        def step(count):
            with tf.GradientTape() as tape:
                loss = gan.critic_total_loss(real, fake, None)
            gan.players["critic"].descend(tape, loss)
            return count + 1

        tf.while_loop(lambda count: count < 2_000, step, [0])

    train()
    scores = [gan.critic(batch.x).numpy() for batch in (real, fake)]
    np.testing.assert_allclose(second_moment(*scores), 1.0, rtol=0.01)
    np.testing.assert_allclose(scores[0].mean() - scores[1].mean(), expected, rtol=0.01)


@pytest.mark.parametrize("rho", [0, -1e-3])
def test_a_rate_of_zero_is_refused(make, rho):
    with pytest.raises(RequestError, match=rf"config.objective_options.rho: {rho}; expected a number above 0"):
        make("fisher", rho=rho)
