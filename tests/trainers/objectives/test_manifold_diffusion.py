"""The two-step variant of MRGAN: a whole step of linear networks in NumPy, and its composition."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import objectives
from trainers.dynamics.simultaneous import Simultaneous
from trainers.techniques.base import Technique
from trainers.techniques.instance_noise import InstanceNoise
from trainers.techniques.weight_clipping import WeightClipping
from zoo.errors import RequestError
from zoo.layers import set_reference
from zoo.noise import Noise

RATE = 0.125


def apply(weights, x):
    return x @ weights[0] + weights[1]


def minimax(critic, real, fake):
    return np.logaddexp(0, -apply(critic, real)).mean() + np.logaddexp(0, apply(critic, fake)).mean()


class SquaredScores(Technique):
    """A penalty by which the weights can tell on what examples it was taken."""

    def critic_penalty(self, critic, real, fake, noise, step):
        return 0.25 * tf.reduce_mean(critic(real.x) ** 2) + 0.5 * tf.reduce_mean(critic(fake.x) ** 2)


#: A technique of each kind.
TECHNIQUES = InstanceNoise(std=0.5, until=10), SquaredScores(), WeightClipping(bound=0.6)


@pytest.mark.parametrize("techniques", [(), TECHNIQUES], ids=["plain", "with techniques"])
def test_a_step_is_the_manifold_step_then_the_diffusion_step(techniques, make, points, differences):
    options = {"hidden": (), "generator_hidden": (), "mode_weight": 0.3, "techniques": techniques}
    gan, (real, _) = make("manifold_diffusion", **options), points(6)
    # Both critics move at the critic's rate, the encoder at the generator's.
    gan.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(2.0 * RATE))
    players = gan.manifold_critic, gan.encoder, gan.generator, gan.critic
    first, encoder, generator, second = (player.get_weights() for player in players)
    logs = gan.fit(tf.data.Dataset.from_tensors(real), verbose=0, shuffle=False).history

    # The diffusion step has the dynamics' draw, the manifold step the next.
    diffused, drawn = (Noise.of_step(0, tf.constant(0, tf.int64), 6).fold_in(0).fold_in(draw) for draw in (0, 1))
    latents = diffused.normal("latents", [2]).numpy().astype(np.float64)

    def seen(x, kind, noise):
        return x + 0.5 * noise.normal(f"instance noise {kind}", [3]).numpy().astype(np.float64) if techniques else x

    def game(critic, real, fake):
        penalty = 0.25 * (apply(critic, real) ** 2).mean() + 0.5 * (apply(critic, fake) ** 2).mean()
        return minimax(critic, real, fake) + (penalty if techniques else 0.0)

    def moved(loss, weights, rate=RATE, bound=np.inf):
        return [np.clip(w - rate * g, -bound, bound) for w, g in zip(weights, differences(loss, weights))]

    def manifold(*weights):  # encoder and generator
        made = apply(weights[2:], apply(weights[:2], real))
        scores = apply(first, seen(made, "reconstructed", drawn))
        return ((real - made) ** 2).mean() + 0.3 * np.logaddexp(0, -scores).mean()

    # Oracle: Che et al. 2016, algorithm 1, in NumPy by central differences, each move at what the last one left.
    bound = 0.6 if techniques else np.inf
    sides = seen(real, "real", drawn), seen(apply(generator, apply(encoder, real)), "reconstructed", drawn)
    losses = [game(first, *sides)]
    first = moved(lambda *critic: game(critic, *sides), first, 2.0 * RATE, bound)
    losses.append(manifold(*encoder, *generator))
    both = moved(manifold, [*encoder, *generator])
    encoder, generator = both[:2], both[2:]
    made, fake = apply(generator, apply(encoder, real)), apply(generator, latents)
    diffusion_sides = seen(made, "real", diffused), seen(fake, "fake", diffused)
    losses.append(game(second, *diffusion_sides))
    second = moved(lambda *critic: game(critic, *diffusion_sides), second, 2.0 * RATE, bound)

    def diffusion(*weights):
        return np.logaddexp(0, -apply(second, seen(apply(weights, latents), "fake", diffused))).mean()

    losses.append(diffusion(*generator))
    generator = moved(diffusion, generator)
    for player, expected in zip(players, (first, encoder, generator, second)):
        for one, other in zip(player.get_weights(), expected):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8)
    found = [logs[key][0] for key in ("manifold_critic_loss", "encoder_loss", "critic_loss", "generator_loss")]
    np.testing.assert_allclose(found, losses, rtol=1e-7)


def test_both_critics_are_normalised_by_the_same_real_examples(make, points):
    critic = zoo.MLPCritic((3,), hidden_units=(5,), normalization="virtual_batch", dtype="float64")
    set_reference(critic, points(64)[0])
    gan = objectives.METHODS.load("manifold_diffusion")(zoo.MLPGenerator((3,), dtype="float64"), critic)
    np.testing.assert_array_equal(gan.manifold_critic.trunk.reference, points(64)[0])


def test_a_reference_batch_that_only_one_critic_got_is_refused(points):
    critic = zoo.MLPCritic((3,), hidden_units=(5,), normalization="virtual_batch", dtype="float64")
    gan = objectives.METHODS.load("manifold_diffusion")(zoo.MLPGenerator((3,), dtype="float64"), critic)
    set_reference(critic, points(64)[0])  # too late: the other critic's is a copy
    gan.compile(run_eagerly=True)
    with pytest.raises(RequestError, match=f"{gan.manifold_critic.name}: .* no reference batch"):
        gan.fit(tf.data.Dataset.from_tensors(points(6)[0]), verbose=0)


def test_every_optimizer_moves_once_a_step_and_is_checkpointed(make):
    gan = make("manifold_diffusion")
    gan.compile(keras.optimizers.Adam(0.01), keras.optimizers.Adam(0.01))
    gan.fit(
        tf.data.Dataset.from_tensor_slices(np.random.default_rng(0).normal(size=(3, 6, 3))), verbose=0, shuffle=False
    )
    assert list(gan.players) == ["manifold_critic", "encoder", "critic", "generator"]
    assert [int(player.optimizer.iterations) for player in gan.players.values()] == [3, 3, 3, 3]
    assert {f"{name}_optimizer" for name in gan.players} <= set(gan.state())


def test_wrong_requests_are_refused(make):
    with pytest.raises(RequestError, match=r"'simultaneous' does not compose with 'manifold_diffusion'"):
        make("manifold_diffusion", dynamics=Simultaneous())
    with pytest.raises(RequestError, match=r"config.objective_options.mode_weight: -1; expected a number, 0 or more"):
        make("manifold_diffusion", mode_weight=-1)
