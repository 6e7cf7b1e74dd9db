"""Updates of the dynamics on a linear game, against the same updates in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers.dynamics.alternating import Alternating
from trainers.dynamics.simultaneous import Simultaneous
from trainers.objectives.minimax import Minimax
from zoo.noise import Noise

#: Learning rates of critic and generator: powers of two, exact in any dtype.
RATES = 0.25, 0.125
LATENTS, DIM, BATCH, SEED = 2, 3, 5, 17


def play(dynamics, steps, critic_rate=RATES[0]):
    """A linear generator and a linear critic in float64 under plain gradient descent; → (gan, initial weights)."""
    keras.utils.set_random_seed(1)
    generator = zoo.MLPGenerator((DIM,), latent_dim=LATENTS, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((DIM,), hidden_units=(), dtype="float64")
    gan = Minimax(generator, critic, dynamics=dynamics, seed=SEED)
    gan.compile(keras.optimizers.SGD(RATES[1]), keras.optimizers.SGD(critic_rate))
    initial = [*generator.get_weights(), *critic.get_weights()]
    data = tf.data.Dataset.from_tensor_slices(reals(steps * dynamics.batches_per_step))
    gan.fit(data, verbose=0)
    assert int(gan.step) == steps
    return gan, initial


def reals(count):
    return np.random.default_rng(3).normal(1.0, 2.0, (count, BATCH, DIM)).astype(np.float32)


def latents(step, draw):
    noise = Noise.of_step(SEED, tf.constant(step, tf.int64), BATCH).fold_in(0).fold_in(draw)
    return noise.normal("latents", [LATENTS]).numpy().astype(np.float64)


def sigmoid(t):
    return 1.0 / (1.0 + np.exp(-t))


def critic_gradients(state, real, z):
    """By hand: L_D = E sp(-(x·w + c)) + E sp(fake·w + c), fake = zA + b."""
    a, b, w, c = state
    fake = z @ a + b
    on_real, on_fake = -sigmoid(-(real @ w + c)) / BATCH, sigmoid(fake @ w + c) / BATCH
    return real.T @ on_real + fake.T @ on_fake, (on_real + on_fake).sum(0)


def generator_gradients(state, z):
    """By hand: L_G = -E sp(fake·w + c)."""
    a, b, w, c = state
    on_fake = -sigmoid((z @ a + b) @ w + c) / BATCH * w.T
    return z.T @ on_fake, on_fake.sum(0)


def moved(weights, gradients, rate):
    return [weight - rate * gradient for weight, gradient in zip(weights, gradients)]


def alternating(state, steps, k):
    batches = reals(steps * k).astype(np.float64)
    for step in range(steps):
        for draw in range(k):
            z = latents(step, draw)
            state = [*state[:2], *moved(state[2:], critic_gradients(state, batches[step * k + draw], z), RATES[0])]
        # The generator's step uses the batch of the critic's last step.
        state = [*moved(state[:2], generator_gradients(state, z), RATES[1]), *state[2:]]
    return state


def simultaneous(state, steps, k=1):
    batches = reals(steps * k).astype(np.float64)
    for step in range(steps):
        for draw in range(k - 1):
            gradients = critic_gradients(state, batches[step * k + draw], latents(step, draw))
            state = [*state[:2], *moved(state[2:], gradients, RATES[0])]
        # The joint move is on the last batch and has the last draw.
        real, z = batches[step * k + k - 1], latents(step, k - 1)
        of_critic, of_generator = critic_gradients(state, real, z), generator_gradients(state, z)
        state = [*moved(state[:2], of_generator, RATES[1]), *moved(state[2:], of_critic, RATES[0])]
    return state


def weights(gan):
    return [*gan.generator.get_weights(), *gan.critic.get_weights()]


def distance(one, other):
    return max(np.abs(a - b).max() for a, b in zip(one, other))


@pytest.mark.parametrize("k", [1, 2, 3])
def test_alternating_is_k_critic_steps_on_fresh_batches_then_one_generator_step(k):
    gan, initial = play(Alternating(critic_steps=k), steps=4)
    # Float64 rounding over a handful of updates of order one.
    assert distance(weights(gan), alternating(initial, 4, k)) < 1e-12
    assert distance(weights(gan), initial) > 0.1


@pytest.mark.parametrize("k", [1, 2, 3])
def test_simultaneous_takes_both_gradients_at_the_same_point(k):
    gan, initial = play(Simultaneous(critic_steps=k), steps=4)
    assert distance(weights(gan), simultaneous(initial, 4, k)) < 1e-12
    # The two orders of play differ by far more than rounding, so that neither passes for the other.
    assert distance(simultaneous(initial, 4, k), alternating(initial, 4, k)) > 1e-3


def test_simultaneous_takes_one_batch_and_alternating_takes_k():
    assert Simultaneous().batches_per_step == 1
    assert Alternating().batches_per_step == 1
    assert Alternating(critic_steps=4).batches_per_step == 4


def test_alternating_generates_once_for_both_players():
    calls = []

    class Counting(Minimax):
        def generate(self, *arguments):
            calls.append(1)
            return super().generate(*arguments)

    keras.utils.set_random_seed(0)
    networks = zoo.MLPGenerator((DIM,), hidden_units=()), zoo.MLPCritic((DIM,), hidden_units=())
    gan = Counting(*networks, dynamics=Alternating(critic_steps=3))
    gan.compile(run_eagerly=True)
    gan.fit(tf.data.Dataset.from_tensor_slices(reals(6)), verbose=0)
    assert int(gan.step) == 2
    assert len(calls) == 2 * 3


def test_logs_are_the_losses_and_gradient_norms_of_the_step():
    gan, initial = play(Simultaneous(), steps=1)
    logs = gan.history.history
    real, z = reals(1)[0].astype(np.float64), latents(0, 0)
    a, b, w, c = initial
    fake = (z @ a + b) @ w + c
    expected = {
        "critic_loss": np.logaddexp(0, -(real @ w + c)).mean() + np.logaddexp(0, fake).mean(),
        "generator_loss": -np.logaddexp(0, fake).mean(),
        "critic_gradient_norm": np.sqrt(sum((g**2).sum() for g in critic_gradients(initial, real, z))),
        "generator_gradient_norm": np.sqrt(sum((g**2).sum() for g in generator_gradients(initial, z))),
    }
    assert set(logs) == set(expected)
    for key, value in expected.items():
        np.testing.assert_allclose(logs[key], [value], rtol=1e-12)
