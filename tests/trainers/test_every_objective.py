"""Every objective in the registry, a mixture and a conditional GAN, on one small run of each: same results with
replicas, XLA and after resumption, and its generator is exported."""

import dataclasses
import functools
import re
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf

from export import model_card
from export.generators import Generator
from export.saved_model import export_run
from trainers import build as building
from trainers import callbacks, objectives, training
from trainers import workdir as workdirs
from zoo.pixels import to_uint8

STEPS, HALF = 4, 2


@dataclasses.dataclass
class Baseline:
    """An uninterrupted run on one replica, not compiled."""

    config: object
    workdir: object
    initial: list
    final: list
    metrics: list


@pytest.fixture(scope="module")
def baseline(small_config, build, state, tmp_path_factory):
    @functools.cache
    def baseline(objective):
        found = objectives.METHODS.load(small_config(objective).objective)
        changes = {
            "train.precision": "float64",
            "train.steps": STEPS,
            "train.checkpoint_every": HALF,
            # An average that a resumed run must have kept.
            "train.ema_decay": 0.5,
        }
        if "critic" in found.configured and objective not in ("progressive", "stacked"):
            # Batch normalisation everywhere that the objective allows it: its statistics must be the global batch's.
            changes["critic.normalization"] = found.critic_normalization or "batch"
        if "encoder" in found.configured:
            changes["encoder.normalization"] = "batch"
        if objective == "mixture":
            changes.update({"mixture.components": 2, "mixture.shared_layers": 1})
        config = small_config(objective, changes)
        if config.generator.family == "mlp":
            config.generator.normalization = "batch"
        run = build(config, workdir=tmp_path_factory.mktemp(objective))
        initial = state(run.model)
        training.train(run)
        return Baseline(config, run.workdir, initial, state(run.model), metrics(run.workdir))

    return baseline


def metrics(workdir):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in workdirs.read_metrics(workdir)]


def assert_close_metrics(one, other, rtol):
    assert [row.keys() for row in one] == [row.keys() for row in other]
    for a, b in zip(one, other):
        np.testing.assert_allclose(list(a.values()), list(b.values()), rtol=rtol)


@pytest.mark.parametrize("objective", [*objectives.METHODS.names(), "mixture", "conditional"])
class TestEveryObjective:
    def test_every_network_moves(self, objective, baseline, build):
        gan = build(baseline(objective).config).model
        positions = {id(variable): position for position, variable in enumerate(gan.variables)}
        moved = [not np.array_equal(a, b) for a, b in zip(baseline(objective).initial, baseline(objective).final)]
        assert moved[positions[id(gan.step)]]
        for network in (gan.averaged_generator, *gan.networks.values()):
            # A bias before a batch normalisation, or one that cancels between scores, may stay; what is held for
            # sampling does.
            kernels = [variable for variable in network.variables if variable.trainable and len(variable.shape) > 1]
            assert kernels
            assert all(moved[positions[id(variable)]] for variable in kernels)
        assert [row["step"] for row in baseline(objective).metrics] == [1, 2, 3, 4]
        assert all(np.isfinite(list(row.values())).all() for row in baseline(objective).metrics)

    def test_every_log_is_watched(self, objective, baseline, build):
        logs = dict(baseline(objective).metrics[0])
        watch, players = callbacks.StopOnNonFinite(), build(baseline(objective).config).model.players
        assert {f"{player}_{what}" for player in players for what in ("loss", "gradient_norm")} <= logs.keys()
        watch.set_model(types.SimpleNamespace(step=tf.constant(logs.pop("step")), players=players))
        watch.on_train_batch_end(0, logs)
        for key in logs:
            player, _, what = re.match("(.*?)(_)(loss|gradient_norm)$|", key).groups()
            named = f"the {player}'s {what}".replace("_", " ") if player else key
            with pytest.raises(callbacks.NonFinite, match=f"step 1: {named} is not finite"):
                watch.on_train_batch_end(0, {**logs, key: float("nan")})

    def test_two_replicas_learn_what_one_learns(
        self, objective, baseline, build, state, assert_same, two_replicas, tmp_path
    ):
        expected = baseline(objective)
        run = build(expected.config, strategy=two_replicas, workdir=tmp_path)
        assert_same(state(run.model), expected.initial)
        training.train(run)
        assert run.model.distribute_strategy.num_replicas_in_sync == 2
        # Float64 sums in another order; where a gradient is zero but for rounding, Adam makes it a step of up to 1e-11.
        assert_same(state(run.model), expected.final, rtol=1e-9, atol=1e-10)
        assert_close_metrics(metrics(tmp_path), expected.metrics, rtol=1e-9)

    def test_a_compiled_step_is_the_plain_step(self, objective, baseline, build, fit, state, assert_same):
        expected = baseline(objective)
        config = expected.config.copy_and_resolve_references()
        config.train.jit_compile = True
        run = build(config)
        assert run.model.jit_compile is True
        fit(run, STEPS)
        # XLA's own exponentials and square roots, in float64; Adam as above.
        assert_same(state(run.model), expected.final, rtol=1e-6, atol=1e-8)

    def test_a_resumed_run_is_the_uninterrupted_run(self, objective, baseline, build, state, assert_same, tmp_path):
        expected = baseline(objective)
        workdir = tmp_path / "killed"
        shutil.copytree(expected.workdir, workdir)
        # As a kill during the last step leaves it: metrics past the newest checkpoint, to be taken back.
        shutil.rmtree(workdir / "checkpoints" / f"step_{STEPS:08d}")
        run = build(expected.config, workdir=workdir)
        training.train(run)
        assert_same(state(run.model), expected.final)
        assert metrics(workdir) == expected.metrics

    def test_its_run_is_exported(self, objective, baseline, tmp_path):
        version = export_run(baseline(objective).workdir, tmp_path, "model")
        found = Generator.load(version).sample(range(5))
        expected = building.open_run(baseline(objective).workdir).model.sample(range(5)).numpy()
        assert found.shape == expected.shape and np.ptp(found) > 0
        # The network computes in float64, what leaves it is float32, or bytes.
        expected = to_uint8(expected) if found.dtype == np.uint8 else expected
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        # The card tells the method and its source, in the words of `--list`.
        name = baseline(objective).config.objective
        page = (version / model_card.EXTRA / "model_card.md").read_text()
        told = f"A generator trained with the objective `{name}`, exported by tf-gan-zoo."
        assert f"# model\n\n{told}\n\n{objectives.METHODS.summary(name)}\n\n| fact | value |" in page


#: Of steps that differ in their losses of scores alone, `f_divergence` stands for all: it has the widest range.
UNLIKE_STEPS = (
    "conditional",
    "covariance_feature_matching",
    "energy_based",
    "f_divergence",
    "feature_matching",
    "fisher",
    "info",
    "jensen_shannon_regularized",
    "loss_sensitive",
    "manifold_diffusion",
    "mean_feature_matching",
    "mixture",
    "mmd",
    "noise_contrastive",
    "progressive",
    "rbm",
    "relativistic",
    "super_resolution",
    "vae",
    "wasserstein",
    "wasserstein_gp",
)


@pytest.mark.parametrize("objective", UNLIKE_STEPS)
def test_a_compiled_step_in_float32_gives_the_plain_steps_numbers(objective, baseline, build, state):
    config = baseline(objective).config.copy_and_resolve_references()
    config.train.precision = "float32"
    # Adam would make a step of its own out of the rounding of a gradient that is zero.
    config.generator_optimizer = config.critic_optimizer = {"name": "sgd", "learning_rate": 0.01}
    numbers = []
    for compiled in (False, True):
        run = build(config)
        # Eager where not compiled: tracing takes longer than these steps do.
        step = (
            tf.function(run.model.train_step, autograph=False, jit_compile=True) if compiled else run.model.train_step
        )
        data = iter(training.batches(run, 0))
        logs = [step(tuple(next(data) for _ in range(run.model.batches_per_step))) for _ in range(HALF)]
        numbers.append([*(value.numpy() for row in logs for value in row.values()), *state(run.model)])
    for plain, other in zip(*numbers, strict=True):
        # 1e-4 of each number, or of its neighbours' size; what is zero but for rounding is so in both.
        np.testing.assert_allclose(other, plain, rtol=1e-4, atol=max(1e-6, 1e-4 * np.abs(plain).mean()))
