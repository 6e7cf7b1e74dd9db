"""The base class: same result from `fit` and the training program, on one replica or two, with and without XLA.

Tests of all objectives are in test_every_objective.py.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import gan as template
from trainers import training
from trainers.dynamics.simultaneous import Simultaneous
from trainers.objectives.non_saturating import NonSaturating
from zoo.errors import RequestError
from zoo.noise import Noise


def test_two_replicas_learn_what_one_learns_in_float32(small_config, build, fit, state, assert_same, two_replicas):
    config = small_config(changes={"critic.normalization": "batch", "generator.normalization": "batch"})
    # Plain descent: Adam divides a gradient by its own size, so that a gradient of zero becomes a step of rounding.
    for player in ("generator_optimizer", "critic_optimizer"):
        config[player] = {"name": "sgd", "learning_rate": 0.1}
    alone, together = build(config), build(config, strategy=two_replicas)
    fit(alone, 4)
    fit(together, 4)
    assert_same(state(alone.model), state(together.model), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("clip", [{"clipnorm": 0.01}, {"global_clipnorm": 0.01}, {"clipvalue": 0.001}])
def test_two_replicas_clip_the_gradient_that_one_clips(clip, small_config, build, two_replicas):
    # The objective with the most players, each with its own optimizer.
    config = small_config("manifold_diffusion", {"train.precision": "float64"})
    for player in ("generator_optimizer", "critic_optimizer"):
        config[player] = {"name": "sgd", "learning_rate": 0.1, **clip}
    alone, together = build(config).model, build(config, strategy=two_replicas).model
    players = list(alone.networks)
    before = {player: getattr(alone, player).get_weights() for player in players}
    batch = np.random.default_rng(0).normal(size=(16, 2))
    halves = two_replicas.experimental_distribute_values_from_function(
        lambda context: tf.constant(np.split(batch, 2)[context.replica_id_in_sync_group])
    )
    alone.train_step((batch,))
    two_replicas.run(together.train_step, args=((halves,),))
    for player in players:
        weights = getattr(alone, player).get_weights()
        steps = [new - old for new, old in zip(weights, before[player])]
        # The clip determines the length of a variable's step; the generator takes two steps.
        assert 0 < max(np.linalg.norm(step) for step in steps) <= 2 * 0.1 * (np.sqrt(steps[0].size) * 0.01)
        for one, other in zip(getattr(together, player).get_weights(), weights):
            # Float64 sums in another order; a step twice as long would be 1e-4 off.
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-11)


def test_options_of_optimizers_that_do_not_work_here_are_refused(small_config, build, two_replicas):
    def compiled(gan, **options):
        with gan.distribute_strategy.scope():
            gan.compile(keras.optimizers.Adam(0.1), keras.optimizers.SGD(0.1, **options))

    gan = build(small_config()).model
    for options in ({"gradient_accumulation_steps": 2}, {"use_ema": True, "ema_overwrite_frequency": 2}):
        compiled(gan, **options)
    with pytest.raises(RequestError, match="SGD: it divides gradients by a loss scale"):
        compiled(gan, loss_scale_factor=8.0)
    with pytest.raises(RequestError, match="it divides gradients by a loss scale"):
        gan.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
    gan = build(small_config(), strategy=two_replicas).model
    with pytest.raises(RequestError, match="SGD: gradient_accumulation_steps is 2; expected none on 2 replicas"):
        compiled(gan, gradient_accumulation_steps=2)
    with pytest.raises(RequestError, match="SGD: ema_overwrite_frequency is 3; expected none on 2 replicas"):
        compiled(gan, use_ema=True, ema_overwrite_frequency=3)
    with pytest.raises(RequestError, match=r"jit_compile: True; XLA does not compile 2 replicas on CPUs"):
        gan.compile(jit_compile=True)


def test_fit_by_hand_gives_the_weights_of_the_train_program(small_config, build, state, assert_same, tmp_path):
    config = small_config("wasserstein")
    program = build(config, workdir=tmp_path)
    training.train(program)
    assert int(program.model.step) == 6
    by_hand = build(config).model
    # In epochs of two steps: the boundaries of epochs change nothing.
    by_hand.fit(zoo.datasets.load("ring").batches("train", 16, seed=0), steps_per_epoch=2, epochs=3, verbose=0)
    assert_same(state(program.model), state(by_hand))


def test_steps_per_execution_changes_nothing_but_the_number_of_calls(small_config, build, fit, state, assert_same):
    ends = []
    for steps in (1, 7):
        run = build(small_config("wasserstein", {"train.steps_per_execution": steps}))
        calls = []
        run.model.last_step.assign(16)
        data = training.batches(run, 0)
        count = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs, calls=calls: calls.append(logs))
        run.model.fit(data, steps_per_epoch=16, callbacks=[count], verbose=0, shuffle=False)
        ends.append((state(run.model), len(calls), calls[-1]))
    assert_same(ends[0][0], ends[1][0])
    assert (ends[0][1], ends[1][1]) == (16, 3)
    assert ends[0][2] == ends[1][2]


def test_logs_are_means_over_replicas(two_replicas):
    class Revealing(template.GAN):
        """Its losses are the means of the real examples' scores, and the critic is the identity."""

        def critic_loss(self, real_scores, fake_scores):
            return tf.reduce_mean(real_scores)

        def generator_loss(self, fake_scores):
            return 0.0 * tf.reduce_mean(fake_scores)

    data = tf.data.Dataset.from_tensors(np.array([[1.0], [2.0], [30.0], [40.0]], np.float32))
    with two_replicas.scope():
        critic = zoo.MLPCritic((1,), hidden_units=())
        critic.set_weights([np.ones((1, 1)), np.zeros(1)])
        gan = Revealing(zoo.MLPGenerator((1,), latent_dim=2, hidden_units=()), critic)
        gan.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    logs = gan.fit(data, verbose=0).history
    # The halves' means are 1.5 and 35; d(mean real score)/d(kernel, bias) = (18.25, 1).
    np.testing.assert_allclose(logs["critic_loss"], [18.25], rtol=1e-6)
    np.testing.assert_allclose(logs["critic_gradient_norm"], [np.hypot(18.25, 1.0)], rtol=1e-6)


@pytest.mark.parametrize("objective, k, steps_per_execution", [("non_saturating", 1, 1), ("wasserstein", 2, 4)])
def test_a_finite_data_set_ends_between_steps(
    objective, k, steps_per_execution, small_config, build, fit, state, assert_same
):
    config = small_config(objective, {"train.steps_per_execution": steps_per_execution})
    finite, endless = build(config), build(small_config(objective))
    # One batch more than three steps take: with k = 2 the last step has its first batch and not its second.
    finite.model.fit(training.batches(finite, 0).take(3 * k + k - 1), verbose=0, shuffle=False)
    fit(endless, 3)
    assert int(finite.model.step) == 3
    assert_same(state(finite.model), state(endless.model))


def test_labels_that_the_generator_does_not_take_are_passed_over(small_config, build, fit, state, assert_same):
    labelled, plain = build(small_config()), build(small_config())
    data = labelled.data.batches("train", 16, seed=0, labels=True)
    assert list(data.element_spec.conditions) == ["label"]
    labelled.model.fit(data, steps_per_epoch=2, verbose=0, shuffle=False)
    fit(plain, 2)
    assert_same(state(labelled.model), state(plain.model))


@pytest.mark.parametrize("decay", [0.999, 0.15])
def test_the_moving_average_follows_its_formula(decay, small_config, build, fit):
    run = build(small_config(changes={"train.ema_decay": decay, "generator.normalization": "batch"}))
    gan = run.model
    expected = [weight.astype(np.float64) for weight in gan.generator.get_weights()]
    for step in range(4):
        fit(run, 1)
        keep = min(decay, (1.0 + step) / (10.0 + step))
        expected = [keep * old + (1.0 - keep) * new for old, new in zip(expected, gan.generator.get_weights())]
    for ours, theirs in zip(gan.averaged_generator.get_weights(), expected):
        # float32 rounding of four updates.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert gan.sampler is gan.averaged_generator
    assert np.abs(gan.averaged_generator.get_weights()[0] - gan.generator.get_weights()[0]).max() > 1e-4


def test_without_averaging_samples_come_from_the_raw_generator(small_config, build, fit):
    run = build(small_config(changes={"train.ema_decay": 0.0}))
    fit(run, 2)
    assert run.model.sampler is run.model.generator
    latents = tf.random.stateless_normal([3, 4], [0, 0])
    np.testing.assert_array_equal(run.model(latents), run.model.generator(latents))


def test_a_seed_gives_the_same_sample_in_any_batch(small_config, build):
    gan = build(small_config()).model
    together = gan.sample(range(40)).numpy()
    assert together.shape == (40, 2)
    # A matrix product of another size may round its last digit differently.
    np.testing.assert_allclose(gan.sample([39, 7, 2**40]).numpy()[:2], together[[39, 7]], rtol=1e-5, atol=1e-6)
    assert len(np.unique(together)) == 80


def test_the_seed_decides_the_noise(small_config, build, fit, state):
    data = zoo.datasets.load("ring").batches("train", 16, seed=0)
    ends = []
    for seed in (0, 1):
        run = build(small_config())
        run.model.seed = seed
        run.model.fit(data, steps_per_epoch=2, verbose=0, shuffle=False)
        ends.append(np.concatenate([array.ravel() for array in state(run.model)]))
    assert np.abs(ends[0] - ends[1]).max() > 1e-4


def test_the_noise_is_that_of_the_seed_the_step_the_rollbacks_and_the_draw(small_config, build):
    gan = build(small_config(changes={"seed": 3})).model
    gan.step.assign(5)
    gan.rollbacks.assign(2)
    expected = Noise.of_step(3, tf.constant(5, tf.int64), 8).fold_in(2).fold_in(1).normal("latents", [4])
    np.testing.assert_array_equal(gan.noise(8, draw=1).normal("latents", [4]), expected)
    draws = {expected.numpy().tobytes()}
    for rollbacks, draw in ((0, 1), (1, 1), (2, 0), (2, 2)):
        gan.rollbacks.assign(rollbacks)
        draws.add(gan.noise(8, draw).normal("latents", [4]).numpy().tobytes())
    assert len(draws) == 5


def test_eager_steps_are_the_traced_steps(small_config, build, fit, state, assert_same):
    run, traced = build(small_config("least_squares")), build(small_config("least_squares"))
    run.model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    traced.model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    fit(run, 2)
    fit(traced, 2)
    # A graph's optimiser may reorder float32 operations.
    assert_same(state(run.model), state(traced.model), rtol=1e-5, atol=1e-6)


def test_a_compiled_step_is_the_plain_step_in_float32(small_config, build, fit, state, assert_same):
    config = small_config("minimax")
    for player in ("generator_optimizer", "critic_optimizer"):
        config[player] = {"name": "sgd", "learning_rate": 0.05}
    plain = build(config)
    config.train.jit_compile = True
    compiled = build(config)
    assert (plain.model.jit_compile, compiled.model.jit_compile) == (False, True)
    before = state(plain.model)
    fit(plain, 2)
    fit(compiled, 2)
    # XLA fuses, and so rounds, differently in float32.
    assert_same(state(plain.model), state(compiled.model), rtol=1e-4, atol=1e-6)
    assert max(np.abs(a - b).max() for a, b in zip(before[2:], state(plain.model)[2:])) > 1e-3


def test_simultaneous_play_moves_both_players(small_config, build, fit):
    config = small_config("least_squares")
    config.dynamics, config.dynamics_options = "simultaneous", {}
    run = build(config)
    assert isinstance(run.model.dynamics, Simultaneous)
    before = run.model.generator.get_weights(), run.model.critic.get_weights()
    logs = fit(run, 2)
    for network, old in zip((run.model.generator, run.model.critic), before):
        assert max(np.abs(a - b).max() for a, b in zip(network.get_weights(), old)) > 1e-3
    assert all(np.isfinite(value).all() for value in logs.values())


def test_an_objective_without_losses_says_so():
    gan = template.GAN(zoo.MLPGenerator((2,)), zoo.MLPCritic((2,)))
    with pytest.raises(NotImplementedError, match="GAN defines no critic_loss"):
        gan.critic_loss(tf.zeros([1, 1]), tf.zeros([1, 1]))
    with pytest.raises(NotImplementedError, match="GAN defines no generator_loss"):
        gan.generator_loss(tf.zeros([1, 1]))


def test_mixed_precision_trains(small_config, build, fit):
    config = small_config("wasserstein_gp", {"train.precision": "mixed_bfloat16", "critic.normalization": "layer"})
    run = build(config)
    before = run.model.critic.get_weights()
    logs = fit(run, 3)
    assert all(np.isfinite(value).all() for value in logs.values())
    assert max(np.abs(a - b).max() for a, b in zip(run.model.critic.get_weights(), before)) > 1e-3


def test_the_readme_example_of_the_class_runs():
    data = zoo.datasets.load("digits")
    gan = NonSaturating(
        zoo.DCGANGenerator(data.data_shape, base_filters=4), zoo.DCGANCritic(data.data_shape, base_filters=4)
    )
    gan.compile()
    history = gan.fit(data.batches("train", 64, seed=0), steps_per_epoch=2, epochs=2, verbose=0).history
    assert len(history["critic_loss"]) == 2
    assert gan.sample(range(16)).shape == (16, 8, 8, 1)
