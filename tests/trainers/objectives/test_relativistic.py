"""The relativistic pairing loss against NumPy and central differences; where it converges locally."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import dynamics
from trainers.objectives.relativistic import Relativistic
from trainers.techniques.zero_centred import ZeroCentred
from zoo.batch import Batch

#: Critic's loss ← (real, generated); the generator's ← (generated, real).
PLAYERS = ("critic", "generator")


def softplus(t):
    return np.logaddexp(0.0, t)


def sigmoid(t):
    return np.exp(-softplus(-t))


@pytest.mark.parametrize("scale", [1.0, 500.0])
def test_loss_and_gradients_of_scores_equal_the_closed_form(scale, make, points, value_and_gradient):
    # Scores of 500 overflow a naive exponential.
    real, fake = scale * points(7, dim=1)
    value, gradients = value_and_gradient(make("relativistic").critic_loss, [real, fake])
    np.testing.assert_allclose(value, softplus(fake - real).mean(), rtol=1e-12)
    slope = sigmoid(fake - real) / 7
    np.testing.assert_allclose(gradients[0], -slope, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(gradients[1], slope, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("player", PLAYERS)
def test_each_player_has_its_pairs_and_its_weight_gradient(
    player, make, points, noise_of, weight_gradient, differences, assert_gradients
):
    gan, (real, _) = make("relativistic"), points(6)
    latents = np.random.default_rng(5).normal(size=(6, 2))
    network = getattr(gan, player)
    own = gan.critic.get_weights(), gan.generator.get_weights()

    def oracle(*weights):
        of_critic, of_generator = (weights, own[1]) if player == "critic" else (own[0], weights)
        kernel, bias, head, offset = of_critic
        first, shift, last, end = of_generator
        fake = np.tanh(latents @ first + shift) @ last + end
        on_real, on_fake = (np.tanh(x @ kernel + bias) @ head + offset for x in (real, fake))
        return softplus(on_fake - on_real if player == "critic" else on_real - on_fake).mean()

    def loss():
        compute = gan.compute_critic_loss if player == "critic" else gan.compute_generator_loss
        return compute(Batch(tf.constant(real)), Batch(gan.generator(latents)), noise_of(6))

    weights = network.get_weights()
    value, found = weight_gradient(loss, network)
    # Oracle: NumPy, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-12)
    assert_gradients(found, differences(oracle, weights))


@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_on_a_point_it_converges_under_r1_and_r2_and_circles_without(gamma):
    # The Dirac-GAN of Mescheder et al. 2018: all data at 0, a linear critic a·x, a generator b + w·z.
    keras.utils.set_random_seed(0)
    generator = zoo.MLPGenerator((1,), latent_dim=1, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((1,), hidden_units=(), dtype="float64")
    w, b, a = 0.0, 0.5, 0.5
    generator.set_weights([np.array([[w]]), np.array([b])])
    critic.set_weights([np.array([[a]]), np.zeros(1)])
    techniques = (ZeroCentred(weight=gamma, at="both"),) if gamma else ()
    gan = Relativistic(generator, critic, dynamics=dynamics.METHODS.load("simultaneous")(), techniques=techniques)
    gan.compile(keras.optimizers.SGD(0.2), keras.optimizers.SGD(0.2))
    step, start = tf.function(gan.train_step, autograph=False), np.hypot(a, b)
    for _ in range(100):
        z = gan.noise(4).latents(1).numpy().astype(np.float64)
        fake = b + w * z
        # γ/2 (a² + a²) adds 2γa; the generator's score has the derivative -σ(-a·x).
        of_critic = (sigmoid(a * fake) * fake).mean() + 2 * gamma * a
        of_fake = -sigmoid(-a * fake) * a
        a, b, w = a - 0.2 * of_critic, b - 0.2 * of_fake.mean(), w - 0.2 * (of_fake * z).mean()
        step((tf.zeros([4, 1]),))
    found = [generator.get_weights()[0][0, 0], generator.get_weights()[1][0], critic.get_weights()[0][0, 0]]
    # Oracle: the descent by hand in float64; the learning rates are float32.
    np.testing.assert_allclose(found, [w, b, a], rtol=1e-5, atol=1e-12)
    end = np.hypot(a, b) / start
    assert end < 0.02 if gamma else end > 0.8


@pytest.mark.parametrize("play", dynamics.METHODS.names())
def test_every_dynamics_plays_it_with_r1_and_r2(play, make, points):
    both = ZeroCentred(weight=1.0, at="both")
    gan = make("relativistic", dynamics=dynamics.METHODS.load(play)(critic_steps=2), techniques=(both,))
    gan.compile(keras.optimizers.Adam(1e-2), keras.optimizers.Adam(1e-2))
    before = gan.generator.get_weights()
    logs = gan.train_step(tuple(tf.constant(x) for x in points(6)))
    assert np.isfinite(list(logs.values())).all()
    assert all(np.any(one != other) for one, other in zip(before, gan.generator.get_weights()))
