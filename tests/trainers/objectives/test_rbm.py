"""Contrastive divergence: differences of enumerated likelihoods, persistent chains over replicas and checkpoints, and
what a tiny machine learns, by enumeration of its states."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import configs.digits
import configs.ring
import zoo
from trainers import build as building
from trainers import config as config_checks
from trainers import objectives
from zoo.datasets import DataSpec
from zoo.errors import RequestError
from zoo.noise import Noise

RBM = objectives.METHODS.load("rbm")
SHAPE, UNITS, HIDDEN = (2, 2, 1), 4, 3
STATES = np.array(list(itertools.product((0.0, 1.0), repeat=UNITS)))


def build(scale=0.7, chains=0, **options):
    generator = zoo.RBM(SHAPE, hidden_units=HIDDEN, gibbs_steps=3, chains=chains, dtype="float64")
    rng = np.random.default_rng(7)
    for weight in generator.trainable_variables:
        weight.assign(scale * rng.normal(size=weight.shape))
    return RBM(generator, **options)


def log_probabilities(weights):
    """log p(v) of every state, the hidden units summed out one state at a time."""
    coupling, b, c = weights
    hidden = np.array(list(itertools.product((0.0, 1.0), repeat=len(c))))
    exponents = (STATES @ b)[:, None] + hidden @ c + STATES @ coupling @ hidden.T
    found = np.logaddexp.reduce(exponents, axis=1)
    return found - np.logaddexp.reduce(found)


def slopes(function, weights, step=1e-5):
    """Central differences of a function of a list of arrays by each number."""
    found = []
    for array in weights:
        slope = np.empty_like(array)
        for at in np.ndindex(array.shape):
            kept, values = array[at], []
            for sign in (1, -1):
                array[at] = kept + sign * step
                values.append(function(weights))
            array[at] = kept
            slope[at] = (values[0] - values[1]) / (2 * step)
        found.append(slope)
    return found


def gradient(model, visible, chains):
    with tf.GradientTape() as tape:
        loss = model.free_energy_difference(tf.constant(visible), tf.constant(chains))
    return loss, tape.gradient(loss, [each.value for each in model.generator.trainable_variables])


def test_the_gradient_is_that_of_the_difference_of_free_energies():
    model, rng = build(), np.random.default_rng(0)
    visible, chains = (rng.integers(0, 2, (count, UNITS)).astype(float) for count in (6, 9))

    def difference(weights):
        free = -log_probabilities(weights)
        of = [free[(units @ (8, 4, 2, 1)).astype(int)].mean() for units in (visible, chains)]
        return of[0] - of[1]

    loss, found = gradient(model, visible, chains)
    weights = model.generator.get_weights()
    assert float(loss) == pytest.approx(difference(weights), rel=1e-12)
    for one, other in zip(found, slopes(difference, weights), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def test_with_draws_of_the_model_it_is_the_likelihoods():
    model, counts = build(), np.random.default_rng(1).integers(1, 5, 16)
    weights = model.generator.get_weights()
    shares = counts / counts.sum()
    # Chains in the model's own proportions, to a part in 2,000,000.
    copies = np.rint(np.exp(log_probabilities(weights)) * 2_000_000).astype(int)
    _, found = gradient(model, np.repeat(STATES, counts, axis=0), np.repeat(STATES, copies, axis=0))
    expected = slopes(lambda at: -shares @ log_probabilities(at), weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def images(model, count, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, [count, *model.generator.data_shape]).astype(np.float32)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_step_of_contrastive_divergence_in_numpy(steps):
    model, x = build(steps=steps), images(build(), 8)
    model.compile(keras.optimizers.SGD(0.1))
    coupling, b, c = before = model.generator.get_weights()
    draws = [Noise.of_step(0, 0, 8).fold_in(0).fold_in(draw) for draw in range(2)]

    def sigmoid(values):
        return 1 / (1 + np.exp(-values))

    def below(noise, purpose, chances):
        return (noise.uniform(purpose, [chances.shape[1]]).numpy() < chances).astype(float)

    visible = below(draws[0], "pixels", (x.reshape(8, UNITS).astype(float) + 1) / 2)
    ends = visible
    for step in range(steps):
        noise = draws[1].fold_in(step)
        hidden = below(noise, "hidden", sigmoid(ends @ coupling + c))
        ends = below(noise, "visible", sigmoid(hidden @ coupling.T + b))
    hidden = below(draws[0], "hidden", sigmoid(visible @ coupling + c))
    error = np.mean((visible - sigmoid(hidden @ coupling.T + b)) ** 2)
    logs = model.train_step((x,))
    assert float(logs["reconstruction_error"]) == pytest.approx(error, rel=1e-9)
    # Hinton's rule: correlations of the data less those of the ends.
    correlations = [units.T @ sigmoid(units @ coupling + c) for units in (visible, ends)]
    rises = [
        correlations[0] - correlations[1],
        (visible - ends).sum(axis=0),
        (sigmoid(visible @ coupling + c) - sigmoid(ends @ coupling + c)).sum(axis=0),
    ]
    for now, was, rise in zip(model.generator.get_weights(), before, rises, strict=True):
        np.testing.assert_allclose(now - was, 0.1 * rise / 8, rtol=1e-6, atol=1e-12)


def test_persistent_chains_go_on_from_where_they_were():
    model, x = build(steps=2, chains=6), images(build(), 8)
    model.compile(keras.optimizers.SGD(0.1))
    start = np.zeros([6, UNITS])
    for step in range(3):
        noise = Noise.of_step(0, step, 6).fold_in(0).fold_in(1)
        start = np.asarray(model.generator.gibbs(start, noise, np.ones(2)))
        model.train_step((x,))
        np.testing.assert_array_equal(model.generator.persistent, start)
        # Where samples start: states, no averages of states.
        np.testing.assert_array_equal(model.averaged_generator.persistent, start)
    assert 0 < start.mean() < 1


def test_each_replica_moves_its_share_of_the_chains(two_replicas):
    start, found = STATES[np.random.default_rng(5).integers(0, 16, 200)], []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            # Large weights: where a chain goes depends on where it was.
            model = build(scale=3.0, chains=200)
            model.generator.persistent.assign(start)
        strategy.run(tf.function(model.move_chains, autograph=False), args=(tf.zeros([2, UNITS], tf.float64),))
        found.append(np.asarray(model.generator.persistent))
    np.testing.assert_array_equal(*found)
    assert not np.array_equal(found[0], start) and len(np.unique(found[0], axis=0)) > 2


def learned(model, data, steps):
    """log p(v) of every state after `steps` more steps."""
    step = tf.function(model.train_step, autograph=False)
    for _ in range(steps):
        step((data,))
    return log_probabilities(model.generator.get_weights()[:3])


def test_persistent_chains_learn_a_distribution_that_one_step_from_the_data_misses():
    # Two far modes: one step from the data never comes to what lies between them.
    counts = np.ones(16, int)
    counts[[0, 15]] = 120, 60
    shares, data = counts / counts.sum(), np.repeat(2 * STATES - 1, counts, axis=0).astype(np.float32)
    divergences = {}
    for chains in (0, 200):
        model = build(scale=0.1, chains=chains)
        model.compile(keras.optimizers.SGD(0.5))
        at = [learned(model, data.reshape(-1, *SHAPE), steps) for steps in (0, 200)]
        divergences[chains] = [float(shares @ (np.log(shares) - log_p)) for log_p in at]
    (start, one_step), (_, persistent) = divergences.values()
    assert one_step < start / 6 and persistent < start / 12
    assert persistent < one_step / 1.5


@pytest.mark.parametrize(
    "options, message",
    [
        ({"steps": 0}, "steps: 0; expected a whole number, 1 to 1000"),
        ({"chains": 1}, "chains: no option of rbm, which takes steps"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(RequestError, match=f"config.objective_options.{message}"):
        objectives.METHODS.resolve("rbm", options, "config.objective_options")


def test_chains_that_replicas_cannot_share_are_refused(two_replicas):
    config = configs.digits.get_config("rbm")
    config.generator.chains = 7
    model = building.build(config, spec=DataSpec((8, 8, 1)), strategy=two_replicas).model
    with pytest.raises(RequestError, match=r"^config.generator.chains: 7; expected a multiple of the 2 replicas"):
        model.make_train_function()


def test_other_networks_and_data_are_refused_before_training():
    with pytest.raises(RequestError, match=r"config.generator.family: rbm needs rbm, not MLPGenerator"):
        RBM(zoo.MLPGenerator((2,)))
    with pytest.raises(RequestError, match=r"config.data, ring: .* need grey images, not points$"):
        config_checks.check(configs.ring.get_config("rbm"))
    config = configs.digits.get_config("rbm")
    config.data.channels = 3
    with pytest.raises(RequestError, match=r"config.data, digits: .* not colour images; use config.data.channels=1$"):
        config_checks.check(config)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"dynamics": "consensus"},
            "config.dynamics: 'consensus' .* there is one player, the machine; use alternating",
        ),
        ({"mixture.components": 2}, "there is one player, the machine"),
        ({"techniques.instance_noise": {"std": 0.1}}, "config.techniques.instance_noise: 'rbm': it trains no critic"),
    ],
)
def test_what_needs_a_critic_or_another_player_is_refused(changes, message):
    config = configs.digits.get_config("rbm")
    config.update_from_flattened_dict(changes)
    with pytest.raises(RequestError, match=message):
        building.build(config, spec=DataSpec((8, 8, 1)))
