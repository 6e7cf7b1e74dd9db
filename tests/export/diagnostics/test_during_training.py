"""What a run is diagnosed with while it trains, and what it says of it."""

import logging

import numpy as np
import pytest
import tensorflow as tf

import configs.digits
import configs.ring
from export.diagnostics import convergence, during_training
from export.diagnostics.convergence import JointField
from export.diagnostics.game import Game
from export.generators import Generator
from export.metrics import toy
from trainers import build, training, workdir
from trainers import config as config_checks
from trainers.checkpoints import Checkpoints


def ring(workdir, strategy=None, objective="non_saturating", **changes):
    """A run of a few units on the ring in `workdir`, not trained yet."""
    config = configs.ring.get_config(objective)
    config.generator = {"family": "mlp", "latent_dim": 4, "hidden_units": (8,)}
    config.critic = {"family": "mlp", "hidden_units": (8,), "normalization": "none", "activation": "tanh"}
    config.train.update(batch_size=16, steps=6, decay_from=1.0, steps_per_execution=1, checkpoint_every=2, log_every=3)
    config.train.update(sample_every=100, keep_checkpoints=3, diagnose_every=2)
    config.train.update(changes)
    return build.build(config, config_checks.check(config), workdir=workdir, strategy=strategy)


def diagnosed(path):
    """{step: the diagnosed numbers}."""
    return {row["step"]: row["diagnosed"] for row in workdir.read_metrics(path) if "diagnosed" in row}


def weights(path):
    return [variable.numpy() for variable in build.open_run(path).model.variables]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("diagnosed")
    training.train(ring(path))
    return path


def test_numbers_are_those_of_the_checkpoint(trained):
    found = diagnosed(trained)
    assert list(found) == [2, 4, 6]
    run = build.open_run(trained)
    Checkpoints(trained / "checkpoints").restore(run.model, 4)
    points = Generator.of_sampler(run.model.sampler, 4, (2,)).sample(np.arange(2000))
    modes = toy.mode_counts(points, run.data.modes, run.data.std)
    assert found[4]["modes_found"] == modes.modes_found
    assert found[4]["high_quality_share"] == pytest.approx(modes.high_quality_share, rel=1e-12)
    held_out, _ = run.data.arrays("test", 2000)
    blocks = [toy.exact_wasserstein(points[part], held_out[part]) for part in (slice(1000), slice(1000, 2000))]
    assert found[4]["exact_wasserstein"] == pytest.approx(np.mean(blocks), rel=1e-9)
    # By hand: the field at step 4, and the way there from step 2.
    game = Game(run, 16, step=4)
    (real,) = game.batches("train", 1, during_training._SEED)
    field = JointField(game.model, real, game.noise(0))
    now = np.concatenate([np.ravel(each) for each in field.weights()]).astype(np.float64)
    before = np.concatenate([np.ravel(each) for each in game.weights_at(2, ("critic", "generator"))])
    way, moves = now - before, -field()
    cosine = way @ moves / np.linalg.norm(way) / np.linalg.norm(moves)
    # The weights are of float32, and so is the field.
    assert found[4]["path_cosine"] == pytest.approx(cosine, abs=1e-5)


def test_the_weights_are_those_of_a_run_without_it(trained, tmp_path):
    run = ring(tmp_path)
    run.config.train.diagnose_every = 0
    training.train(run)
    assert not diagnosed(tmp_path)
    for mine, other in zip(weights(trained), weights(tmp_path), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_run_stopped_before_a_diagnosis_makes_up_for_it(trained, tmp_path, monkeypatch):
    first = ring(tmp_path)
    first.config.train.update(steps=4)
    act = during_training.Diagnose.act
    with monkeypatch.context() as killed:
        killed.setattr(during_training.Diagnose, "act", lambda self, step, logs: step < 4 and act(self, step, logs))
        training.train(first)
    assert list(diagnosed(tmp_path)) == [2]
    training.train(ring(tmp_path))
    assert diagnosed(tmp_path) == diagnosed(trained)
    # A second start finds it done.
    training.train(ring(tmp_path))
    assert diagnosed(tmp_path) == diagnosed(trained)


def test_a_checkpoint_of_a_signal_is_not_diagnosed(trained, tmp_path):
    """Nor is the path measured from it."""
    run = ring(tmp_path)
    run.config.train.update(steps=3)
    training.train(run)  # leaves a checkpoint at step 3, as a signal would
    assert Checkpoints(tmp_path / "checkpoints").steps() == [0, 2, 3]
    training.train(ring(tmp_path))
    assert diagnosed(tmp_path) == diagnosed(trained)


def test_replicas_have_the_same_numbers(trained, tmp_path, two_replicas):
    training.train(ring(tmp_path, two_replicas))
    (*_, one), (*_, two) = diagnosed(trained).values(), diagnosed(tmp_path).values()
    assert one.keys() == two.keys()
    for name, value in one.items():
        # Gradients are sums of two halves: other rounding of float32.
        assert two[name] == (value if isinstance(value, str) else pytest.approx(value, rel=1e-3, abs=1e-3)), name


def test_tensorboard_shows_numbers_rates_and_the_config(trained):
    shown = {}
    for path in tf.io.gfile.glob(str(trained / "logs" / "*")):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                shown.setdefault(value.tag, []).append((event.step, tf.make_ndarray(value.tensor)))
    (step, distance), numbers = shown["diagnosed/exact_wasserstein"][1], diagnosed(trained)[4]
    assert step == 4 and distance == pytest.approx(numbers["exact_wasserstein"], rel=1e-6)
    assert [step for step, _ in shown["critic_learning_rate"]] == [3, 6]
    assert b'"diagnose_every": 2' in shown["config"][0][1].item()
    rows = [row for row in workdir.read_metrics(trained) if "critic_loss" in row]
    assert [row["generator_learning_rate"] for row in rows] == pytest.approx([1e-3, 1e-3])


def test_a_failure_is_named_once(tmp_path, caplog):
    """A critic that learns fast, and a generator far from the data: under minimax no gradient is left."""
    run = ring(tmp_path, objective="minimax", steps=60, checkpoint_every=20, diagnose_every=20)
    for name, rate in (("critic", 1.0), ("generator", 1e-3)):
        run.model.players[name].optimizer.learning_rate.assign(rate)
    run.model.generator.trainable_variables[-1].assign([20.0, 0.0])
    with caplog.at_level(logging.WARNING, logger="absl"):
        training.train(run)
    assert [row["vanishing_gradients"] for row in diagnosed(tmp_path).values()] == ["severe"] * 3
    (told,) = [record.getMessage() for record in caplog.records if "Vanished gradients" in record.getMessage()]
    assert told.startswith("step 20: Vanished gradients: the generator's gradient is ")
    assert told.endswith("What to try: docs/evaluation.md#vanishing-gradients")


def test_images_have_a_frechet_distance_and_copies(tmp_path):
    config = configs.digits.get_config("vae")
    config.generator.update(latent_dim=2, base_filters=4)
    config.train.update(batch_size=16, steps=2, steps_per_execution=1, checkpoint_every=2, diagnose_every=2)
    run = build.build(config, config_checks.check(config), workdir=tmp_path)
    training.train(run)
    (found,) = diagnosed(tmp_path).values()
    # It has no critic.
    assert found.keys() == {"frechet_distance", "copies_at_least", "classes_missing", "generalization"} | {
        *("recall", "coverage", "precision", "density", "mode_collapse", "non_convergence")
    }
    assert found["frechet_distance"] > 100 and found["generalization"] == "none"


def test_the_first_checkpoint_after_each_number_of_steps_is_diagnosed(tmp_path, monkeypatch):
    def look(step, earlier, past):
        return {"before": earlier}, {}

    monkeypatch.setattr(during_training, "Look", lambda run, step: look)
    training.train(ring(tmp_path, steps=12, keep_checkpoints=9, diagnose_every=5))
    assert diagnosed(tmp_path) == {6: {"before": 4}, 10: {"before": 8}}


@pytest.mark.parametrize(
    "distances, level",
    [
        ([10, 2, 5, 4.1], "severe"),
        ([10, 2, 5, 3.9], "none"),  # once may be chance
        ([10, 2, 1, 2.1, None, 2.2], "severe"),
        ([4, 9], "none"),
        ([1.0], "none"),
        ([None], "none"),
        ([], "none"),
    ],
)
def test_a_distance_that_doubles_again_diverges(distances, level):
    section = convergence.of_distances(distances)
    assert section["level"] == level and ("try_next" in section) == (level == "severe")
    if level == "severe":
        best, last = min(each for each in distances if each), distances[-1]
        assert f"{last / best:.2g} times as far" in section["verdict"]
