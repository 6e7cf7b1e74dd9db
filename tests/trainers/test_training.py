"""A run on disk: resumed, it equals the uninterrupted run bit for bit; a non-finite step stops it or is rolled back.

Resumption of every objective is tested in test_every_objective.py.
"""

import json
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from trainers import build as building
from trainers import callbacks, training
from trainers import workdir as workdirs
from trainers.checkpoints import Checkpoints
from trainers.program import Interrupted, RunFailed
from zoo.errors import RequestError


class Crash(Exception):
    """Stands for a kill: nothing after it runs."""


@pytest.fixture
def at_step(monkeypatch):
    """at_step(step, act) calls `act()` once, between the step and what is saved after it."""

    def at_step(step, act):
        shown, done = callbacks.ShowProgress.on_train_batch_end, []

        def on_train_batch_end(self, batch, logs=None):
            shown(self, batch, logs)
            if int(self.model.step.numpy()) >= step and not done:
                done.append(step)
                act()

        monkeypatch.setattr(callbacks.ShowProgress, "on_train_batch_end", on_train_batch_end)

    return at_step


def crash():
    raise Crash


def rows(workdir):
    """The logs by step, without the speed."""
    found = workdirs.read_metrics(workdir)
    return [{key: value for key, value in row.items() if key != "images_per_second"} for row in found]


class Poisoned:
    """A data set with a NaN in some batches of the order that belongs to some seeds."""

    def __init__(self, data, batches, seeds):
        self._data, self._batches, self._seeds = data, batches, seeds

    def arrays(self, *args):
        return self._data.arrays(*args)

    def batches(self, split, size, *, seed, start_batch=0, **options):
        batches = self._data.batches(split, size, seed=seed, start_batch=start_batch, **options)
        if self._seeds is not None and seed not in self._seeds:
            return batches
        bad = tf.constant(self._batches, tf.int64)

        def spoilt(number, batch):
            return batch._replace(x=tf.where(tf.reduce_any(tf.equal(number, bad)), np.float32(np.nan), batch.x))

        return batches.enumerate(start_batch).map(spoilt)


def poisoned(run, batches, seeds=None):
    run._data = Poisoned(run.data, batches, seeds)
    return run


@pytest.fixture(autouse=True)
def no_pictures(request, monkeypatch):
    """Drawing is slow and no subject here, but in the tests that ask for `pictures`."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr(callbacks.DrawSamples, "act", lambda self, step, logs: None)


@pytest.fixture
def pictures():
    return None


def test_everything_that_has_a_state_is_resumed(small_config, build, state, assert_same, at_step, tmp_path):
    # Moving statistics, spectral vectors, two optimizers' moments, several steps a call, a falling learning rate.
    changes = {
        "critic.normalization": "spectral",
        "generator.normalization": "batch",
        "train.steps": 20,
        "train.checkpoint_every": 6,
        "train.steps_per_execution": 3,
        "train.decay_from": 0.3,
    }
    config = small_config("wasserstein", changes)
    whole = build(config, workdir=tmp_path / "whole")
    training.train(whole)
    assert int(whole.model.step) == 20  # not 21, though 20 is no multiple of 3
    at_step(15, crash)
    with pytest.raises(Crash):
        training.train(build(config, workdir=tmp_path / "cut"))
    resumed = build(config, workdir=tmp_path / "cut")
    training.train(resumed)
    assert_same(state(whole.model), state(resumed.model))
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert Checkpoints(tmp_path / "cut" / "checkpoints").steps() == [12, 18, 20]
    assert_same(state(whole.model), state(building.open_run(tmp_path / "cut").model))


def test_a_finished_run_started_again_changes_nothing(small_config, build, state, assert_same, tmp_path):
    config = small_config(changes={"train.steps": 2})
    first = build(config, workdir=tmp_path)
    training.train(first)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = build(config, workdir=tmp_path)
    training.train(again)
    assert_same(state(first.model), state(again.model))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == files


def test_a_finished_run_is_extended_to_the_same_bytes(small_config, build, state, assert_same, tmp_path):
    constant = {"train.decay_from": 1.0, "train.log_every": 3}
    longer = {**constant, "train.steps": 9, "train.steps_per_execution": 3}
    whole = build(small_config(changes=longer), workdir=tmp_path / "whole")
    training.train(whole)
    training.train(build(small_config(changes=constant), workdir=tmp_path / "cut"))
    extended = build(small_config(changes=longer), workdir=tmp_path / "cut")
    training.train(extended)
    assert_same(state(whole.model), state(extended.model))
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    written, expected = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("cut", "whole"))
    change = {"step": 6, "train.steps": [6, 9], "train.steps_per_execution": [1, 3]}
    assert written == {**expected, "changes": [change]}
    # A second change is appended to the first, and the run can still be opened.
    again = {**longer, "train.keep_checkpoints": 1}
    training.train(build(small_config(changes=again), workdir=tmp_path / "cut"))
    written = json.loads((tmp_path / "cut" / "config.json").read_text())
    assert written["changes"] == [change, {"step": 9, "train.keep_checkpoints": [3, 1]}]
    assert int(building.open_run(tmp_path / "cut").model.step) == 9


def test_a_workdir_that_is_being_trained_in_is_refused(small_config, build, at_step, tmp_path):
    config = small_config()
    second, refusals = build(config, workdir=tmp_path), []

    def start_second():
        with pytest.raises(RequestError, match="is being trained in by process") as caught:
            training.train(second)
        refusals.append(caught.value)

    at_step(4, start_second)
    training.train(build(config, workdir=tmp_path))
    assert len(refusals) == 1
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_the_workdir_explains_itself(small_config, build, tmp_path, pictures):
    config = small_config(changes={"train.sample_every": 4, "train.log_every": 2})
    training.train(build(config, workdir=tmp_path))
    assert sorted(path.name for path in (tmp_path / "samples").iterdir()) == ["step_00000000.png", "step_00000004.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints",
        "config.json",
        "logs",
        "metrics.jsonl",
        "samples",
    ]
    assert json.loads((tmp_path / "config.json").read_text())["config"]["objective"] == "non_saturating"
    found = workdirs.read_metrics(tmp_path)
    assert [row["step"] for row in found] == [2, 4, 6]
    told = ("loss", "gradient_norm", "learning_rate")
    players = {f"{player}_{what}" for player in ("critic", "generator") for what in told}
    assert set(found[0]) == {"step", "images_per_second", *players}


def test_what_open_run_gives_can_be_trained_on(small_config, build, fit, tmp_path):
    training.train(build(small_config(changes={"train.steps": 4, "train.steps_per_execution": 4}), workdir=tmp_path))
    run = building.open_run(tmp_path)
    fit(run, 8)
    assert int(run.model.step) == 12


def test_a_signal_saves_and_the_same_command_goes_on(small_config, build, state, assert_same, at_step, tmp_path):
    config = small_config()
    whole = build(config, workdir=tmp_path / "whole")
    training.train(whole)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    handled_next = []

    def terminate():
        os.kill(os.getpid(), signal.SIGTERM)
        handled_next.append(signal.getsignal(signal.SIGTERM))

    at_step(4, terminate)
    with pytest.raises(Interrupted, match="SIGTERM: saved at step 4; the same command goes on from there") as caught:
        training.train(build(config, workdir=tmp_path / "cut"))
    assert caught.value.code == 128 + signal.SIGTERM
    # A second signal does not wait for the end of the step.
    assert handled_next == [before[0]]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    assert (tmp_path / "cut" / "checkpoints" / "step_00000004").is_dir()
    resumed = build(config, workdir=tmp_path / "cut")
    training.train(resumed)
    assert_same(state(whole.model), state(resumed.model))
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")


def test_a_run_of_two_replicas_goes_on_on_one(small_config, build, state, assert_same, at_step, tmp_path, two_replicas):
    config = small_config("least_squares", {"train.precision": "float64"})
    alone = build(config, workdir=tmp_path / "alone")
    training.train(alone)
    at_step(5, crash)
    with pytest.raises(Crash):
        training.train(build(config, workdir=tmp_path / "cut", strategy=two_replicas))
    # The checkpoint does not know of replicas; the sums of the first half were taken in another order.
    resumed = build(config, workdir=tmp_path / "cut")
    training.train(resumed)
    assert_same(state(alone.model), state(resumed.model), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_a_nonfinite_step_stops_the_run_and_is_named(steps_per_execution, small_config, build, tmp_path):
    run = build(small_config(changes={"train.steps_per_execution": steps_per_execution}), workdir=tmp_path)
    last = tmp_path / "checkpoints" / "step_00000003"
    message = f"step 5: the critic's loss is not finite; the last good checkpoint is {last}"
    with pytest.raises(RunFailed, match=message) as caught:
        training.train(poisoned(run, [4]))
    assert caught.value.code == 1
    assert last.is_dir()
    assert sorted(path.name for path in last.parent.iterdir()) == ["step_00000000", "step_00000003"]
    assert all(row["step"] < 5 for row in rows(tmp_path))


def test_the_generator_is_named_where_it_is_the_one(small_config, build, tmp_path):
    run = build(small_config(), workdir=tmp_path)
    run.model.generator_loss = lambda scores: tf.reduce_mean(scores) * np.inf
    with pytest.raises(RunFailed, match="step 1: the generator's loss is not finite"):
        training.train(run)


def test_the_first_to_move_is_named_where_it_spoils_the_others(small_config, build, tmp_path):
    run = build(small_config("manifold_diffusion"), workdir=tmp_path)
    run.model.manifold_critic.set_weights([weight * np.nan for weight in run.model.manifold_critic.get_weights()])
    with pytest.raises(RunFailed, match="step 1: the manifold critic's loss is not finite"):
        training.train(run)


def test_a_gradient_that_is_not_finite_is_named_too(small_config, build, tmp_path):
    run = build(small_config(), workdir=tmp_path)
    # √|s - s| is zero, its derivative is not.
    run.model.critic_loss = lambda real, fake: tf.reduce_mean(tf.sqrt(tf.abs(real - real)))
    with pytest.raises(RunFailed, match="step 1: the critic's gradient norm is not finite"):
        training.train(run)


def test_a_learning_rate_far_too_large_is_caught(small_config, build, tmp_path):
    config = small_config("least_squares")
    config.critic_optimizer = {"name": "sgd", "learning_rate": 1e12}
    with pytest.raises(RunFailed, match=r"step \d: the (critic|generator)'s (loss|gradient norm) is not finite"):
        training.train(build(config, workdir=tmp_path))


def test_rollback_goes_on_past_a_bad_batch(small_config, build, state, assert_same, at_step, tmp_path):
    config = small_config(changes={"train.on_nonfinite": "rollback"})
    run = poisoned(build(config, workdir=tmp_path / "whole"), [4], seeds=[0])
    training.train(run)
    assert (int(run.model.step), int(run.model.rollbacks)) == (6, 1)
    assert all(np.all(np.isfinite(array)) for array in state(run.model))
    assert [row["step"] for row in rows(tmp_path / "whole")] == [1, 2, 3, 4, 5, 6]
    untouched = build(config, workdir=tmp_path / "untouched")
    training.train(untouched)
    # Equal up to the checkpoint; different afterwards, by other noise and data.
    assert rows(tmp_path / "whole")[:3] == rows(tmp_path / "untouched")[:3]
    assert rows(tmp_path / "whole")[3:] != rows(tmp_path / "untouched")[3:]
    # Killed between the rollback and the next checkpoint: the same final state.
    at_step(5, crash)
    with pytest.raises(Crash):
        training.train(poisoned(build(config, workdir=tmp_path / "cut"), [4], seeds=[0]))
    resumed = poisoned(build(config, workdir=tmp_path / "cut"), [4], seeds=[0])
    training.train(resumed)
    assert_same(state(run.model), state(resumed.model))


def test_rollback_gives_up_where_it_does_not_help(small_config, build, tmp_path):
    run = poisoned(build(small_config(changes={"train.on_nonfinite": "rollback"}), workdir=tmp_path), [4])
    with pytest.raises(RunFailed, match="step 5: the critic's loss is not finite; the last good checkpoint is"):
        training.train(run)
    assert int(run.model.rollbacks) == 3


def test_rollback_counts_anew_once_a_run_got_past(small_config, build, tmp_path):
    # Five bad batches in a row, each finite at the second try: more than three rollbacks, but none consecutive.
    changes = {"train.on_nonfinite": "rollback", "train.checkpoint_every": 1}
    run = build(small_config(changes=changes), workdir=tmp_path)
    run._data = Poisoned(run.data, [1, 2, 3, 4, 5], None)
    attempts = {}
    original = run._data.batches

    def batches(split, size, *, seed, start_batch=0, **options):
        attempts[start_batch] = attempts.get(start_batch, 0) + 1
        run._data._batches = [n for n in range(1, 6) if attempts.get(n, 0) < 1]
        return original(split, size, seed=seed, start_batch=start_batch, **options)

    run._data.batches = batches
    training.train(run)
    assert (int(run.model.step), int(run.model.rollbacks)) == (6, 5)


@pytest.mark.parametrize(
    "changes, without, message",
    [
        ({"critic_optimizer.clipnorm": 0.001}, "critic_optimizer.clipnorm", r"clipnorm \(there 0.001, asked None\)"),
        ({"dynamics_options.gamma": 0.5}, "dynamics_options.gamma", r"gamma \(there 0.5, asked 10.0\)"),
        ({"techniques.fog": {"name": "instance_noise", "std": 0.5}}, None, r"the noise falls with it, techniques.fog"),
    ],
)
def test_a_run_is_not_resumed_without_an_option_that_it_had(changes, without, message, small_config, build, tmp_path):
    config = small_config(changes={"train.steps": 1, "train.decay_from": 1.0})
    config.dynamics = "consensus"
    config.update_from_flattened_dict(changes)
    training.train(build(config, workdir=tmp_path))
    if without:
        group, _, option = without.partition(".")
        del config[group][option]
    config.train.steps = 2
    with pytest.raises(RequestError, match=message):
        training.train(build(config, workdir=tmp_path))
