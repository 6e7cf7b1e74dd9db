"""The two-step variant of MRGAN: a whole step of linear networks in NumPy, and its composition."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainers.dynamics.simultaneous import Simultaneous
from zoo.errors import RequestError
from zoo.noise import Noise

RATE = 0.125


def apply(weights, x):
    return x @ weights[0] + weights[1]


def minimax(critic, real, fake):
    return np.logaddexp(0, -apply(critic, real)).mean() + np.logaddexp(0, apply(critic, fake)).mean()


def test_a_step_is_the_manifold_step_then_the_diffusion_step(make, points, differences):
    gan, (real, _) = make("manifold_diffusion", hidden=(), generator_hidden=(), mode_weight=0.3), points(6)
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE))
    players = gan.manifold_critic, gan.encoder, gan.generator, gan.critic
    first, encoder, generator, second = (player.get_weights() for player in players)
    logs = gan.fit(tf.data.Dataset.from_tensors(real), verbose=0, shuffle=False).history

    noise = Noise.of_step(0, tf.constant(0, tf.int64), 6).fold_in(0).fold_in(0)
    latents = noise.normal("latents", [2]).numpy().astype(np.float64)

    def moved(loss, weights):
        return [w - RATE * g for w, g in zip(weights, differences(loss, weights))]

    def manifold(*weights):  # encoder and generator
        made = apply(weights[2:], apply(weights[:2], real))
        return ((real - made) ** 2).mean() + 0.3 * np.logaddexp(0, -apply(first, made)).mean()

    # Oracle: Che et al. 2016, algorithm 1, in NumPy by central differences, each move at what the last one left.
    made = apply(generator, apply(encoder, real))
    losses = [minimax(first, real, made)]
    first = moved(lambda *critic: minimax(critic, real, made), first)
    losses.append(manifold(*encoder, *generator))
    both = moved(manifold, [*encoder, *generator])
    encoder, generator = both[:2], both[2:]
    made, fake = apply(generator, apply(encoder, real)), apply(generator, latents)
    losses.append(minimax(second, made, fake))
    second = moved(lambda *critic: minimax(critic, made, fake), second)

    def diffusion(*weights):
        return np.logaddexp(0, -apply(second, apply(weights, latents))).mean()

    losses.append(diffusion(*generator))
    generator = moved(diffusion, generator)
    for player, expected in zip(players, (first, encoder, generator, second)):
        for one, other in zip(player.get_weights(), expected):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8)
    found = [logs[key][0] for key in ("manifold_critic_loss", "encoder_loss", "critic_loss", "generator_loss")]
    np.testing.assert_allclose(found, losses, rtol=1e-7)


def test_every_optimizer_moves_once_a_step_and_is_checkpointed(make):
    gan = make("manifold_diffusion")
    gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    gan.fit(
        tf.data.Dataset.from_tensor_slices(np.random.default_rng(0).normal(size=(3, 6, 3))), verbose=0, shuffle=False
    )
    optimizers = gan.generator_optimizer, gan.critic_optimizer, gan.encoder_optimizer, gan.manifold_optimizer
    assert [int(optimizer.iterations) for optimizer in optimizers] == [3, 3, 3, 3]
    assert {"encoder_optimizer", "manifold_optimizer"} <= set(gan._trackable_children())


def test_wrong_requests_are_refused(make):
    with pytest.raises(RequestError, match=r"'simultaneous' does not compose with 'manifold_diffusion'"):
        make("manifold_diffusion", dynamics=Simultaneous())
    with pytest.raises(RequestError, match=r"config.objective_options.mode_weight: -1; expected a number, 0 or more"):
        make("manifold_diffusion", mode_weight=-1)
