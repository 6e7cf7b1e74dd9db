"""Techniques from a config: alone and all together they train, on one replica or two, compiled or not."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from trainers import dynamics, objectives, techniques
from zoo.errors import RequestError
from zoo.layers import REFERENCE_SIZE

PENALTIES = ({"name": "gradient_norm"}, {"name": "zero_centred", "weight": 0.1, "at": "fake"})
SETTINGS = {
    "penalties": {"penalties": PENALTIES},
    "instance noise": {"instance_noise.std": 0.3},
    "weight clip": {"weight_clip": 0.05},
    "label smoothing": {"objective_options.real_label": 0.9},
    "minibatch discrimination": {"critic.minibatch_discrimination": 3},
    "virtual batch normalisation": {
        "critic.normalization": "virtual_batch",
        "generator.normalization": "virtual_batch",
    },
}
#: What can be had together: minibatch discrimination compares examples, which penalties do not bear.
TOGETHER = {
    key: value for name in SETTINGS if name != "minibatch discrimination" for key, value in SETTINGS[name].items()
}


def config_for(small_config, changes, objective="non_saturating"):
    config = small_config(objective)
    for key, value in changes.items():
        *groups, last = key.split(".")
        at = config
        for group in groups:
            at = at[group]
        at[last] = value
    # Plain descent: Adam turns the rounding of a gradient that is zero into a step of full length.
    for player in ("generator_optimizer", "critic_optimizer"):
        config[player] = {"name": "sgd", "learning_rate": 0.1}
    return config


def floats(gan):
    return [variable.numpy() for variable in gan.variables if "float" in variable.dtype]


@pytest.mark.parametrize("name", [*SETTINGS, "all"])
def test_it_changes_the_run_which_stays_finite(name, small_config, build, fit):
    changes = {"all": TOGETHER, **SETTINGS}[name]
    with_it, without = (build(config_for(small_config, part)) for part in (changes, {}))
    assert len(with_it.gan.weights) >= len(without.gan.weights)
    # Eager steps: there is little to compute, and a graph of each takes longer than they do.
    batch = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    for _ in range(2):
        logs, plain = (run.gan.train_step((batch,)) for run in (with_it, without))
        assert all(np.isfinite(value) for value in logs.values())
    assert all(np.all(np.isfinite(weight)) for weight in floats(with_it.gan))
    differs = any(not np.isclose(logs[key], plain[key], rtol=1e-4) for key in logs)
    assert differs


@pytest.mark.parametrize("changes", [TOGETHER, SETTINGS["minibatch discrimination"]], ids=["all", "minibatch"])
class TestExecution:
    def test_two_replicas_learn_what_one_learns(self, changes, small_config, build, two_replicas):
        config = config_for(small_config, {**changes, "train.precision": "float64"})
        batch = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
        halves = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.constant(np.split(batch, 2)[context.replica_id_in_sync_group])
        )
        one, two = build(config).gan, build(config, strategy=two_replicas).gan
        step = tf.function(lambda piece: two_replicas.run(two.train_step, args=((piece,),)), autograph=False)
        for _ in range(2):
            one.train_step((batch,))
            step(halves)
        for alone, shared in zip(floats(one), floats(two)):
            np.testing.assert_allclose(shared, alone, rtol=1e-9, atol=1e-12)

    def test_a_compiled_step_is_the_plain_step(self, changes, small_config, build):
        batch, weights = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32), []
        for jit_compile in (False, True):
            gan = build(config_for(small_config, changes)).gan
            step = tf.function(gan.train_step, autograph=False, jit_compile=True) if jit_compile else gan.train_step
            for _ in range(2):
                step((tf.constant(batch),))
            weights.append(floats(gan))
        for plain, compiled in zip(*weights):
            np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-6)


def test_techniques_compose_with_the_second_order_dynamics(small_config, build):
    batch = np.random.default_rng(0).normal(size=(16, 2)).astype(np.float32)
    for name in ("consensus", "locally_stable", "unrolled"):
        config = config_for(small_config, TOGETHER)
        config.dynamics, config.dynamics_options = name, {"surrogate": "sgd", "steps": 2} if name == "unrolled" else {}
        gan = build(config).gan
        logs = gan.train_step((batch,))
        assert all(np.isfinite(value) for value in logs.values()), name
        assert all(np.all(np.isfinite(weight)) for weight in floats(gan)), name
        assert max(np.abs(weight).max() for weight in (v.numpy() for v in gan.critic.trainable_variables)) <= 0.05


@pytest.mark.parametrize("bounds, expected", [((0.01, 0.0), 0.01), ((0.0, 0.02), 0.02), ((0.05, 0.02), 0.02)])
def test_of_two_weight_bounds_the_tighter_holds(bounds, expected, small_config, build):
    config = small_config("wasserstein")
    config.objective_options.clip, config.weight_clip = bounds
    gan = build(config).gan
    gan.constrain_critic()
    assert max(np.abs(weight.numpy()).max() for weight in gan.critic.trainable_variables) == np.float32(expected)
    assert max(np.abs(weight.numpy()).max() for weight in gan.generator.trainable_variables) > 0.1


def test_a_critics_reference_batch_is_the_datas_and_is_in_the_checkpoint(small_config, build, tmp_path):
    from trainers import runs
    from trainers.checkpoints import Checkpoints

    config = config_for(small_config, SETTINGS["virtual batch normalisation"])
    run = build(config)
    examples = run.data.arrays("train", REFERENCE_SIZE)[0]
    np.testing.assert_array_equal(run.gan.critic.trunk.reference, examples)
    latents = run.gan.generator.layout.reference.numpy()
    np.testing.assert_array_equal(run.gan.averaged_generator.layout.reference, latents)
    Checkpoints(tmp_path).save(run.gan)
    # Opened without its data, as a run on disk is: from the checkpoint alone.
    again = runs.build(config, data_shape=(2,))
    assert not np.array_equal(again.gan.critic.trunk.reference, examples)
    again.gan.generator.layout.reference.assign(0.0 * latents)
    Checkpoints(tmp_path).restore(again.gan, 0)
    np.testing.assert_array_equal(again.gan.critic.trunk.reference, examples)
    np.testing.assert_array_equal(again.gan.generator.layout.reference, latents)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"weight_clip": -0.1}, "config.weight_clip: -0.1; expected a number, 0 or more"),
        ({"penalties": ({"name": "r1"},)}, r"config.penalties\[0\].name: 'r1' is no penalty; there are gradient_norm"),
        (
            {"critic.minibatch_discrimination": -3},
            "minibatch_discrimination: -3; expected a number of kernels, 0 or more",
        ),
        (
            {"critic.minibatch_discrimination": 3, "train.batch_size": 1},
            "config.train.batch_size: 1; config.critic.minibatch_discrimination compares the examples of a batch",
        ),
        ({"generator.normalization": "virtual"}, "expected one of batch, layer, none, spectral, virtual_batch"),
    ],
)
def test_wrong_requests_are_refused(changes, message, small_config, build):
    with pytest.raises(RequestError, match=message):
        build(config_for(small_config, changes))


def test_the_list_names_every_method_with_its_source_and_without_tensorflow():
    code = "import sys; from trainers import train, program; sys.argv = ['train.py', '--list']\n" + (
        "try: train.run()\nfinally: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *lines, imported = done.stdout.splitlines()
    assert imported == "False"
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == [*objectives.METHODS.names(), *dynamics.METHODS.names(), *techniques.TECHNIQUES]
    for line in lines:
        if line.startswith("  "):
            # A source: a year, and more than the name.
            assert any(year in line for year in map(str, range(2010, 2020))), line
            assert len(line.split()) > 5


def test_an_option_that_the_config_does_not_list_can_be_given_on_the_command_line(tmp_path):
    flags = ["--config.dynamics=consensus", "--config.dynamics_options.gama=1", f"--workdir={tmp_path}/run"]
    done = subprocess.run(
        [sys.executable, "-m", "trainers.train", "--config=configs/ring.py", *flags], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "config.dynamics_options.gama: no option of consensus, which takes gamma, critic_steps" in done.stderr
