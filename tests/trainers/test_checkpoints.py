"""Checkpoints: whole or not at all, the last few kept, a damaged one never restored."""

import numpy as np
import pytest
import tensorflow as tf

from trainers import build as building
from trainers import callbacks, checkpoints, objectives, training
from trainers.checkpoints import Checkpoints
from zoo.errors import RequestError


def move(gan, step):
    """Gives every variable of `gan`, optimizers included, a value of its own, as training would."""
    rng = np.random.default_rng(step)
    for variable in [
        *gan.variables,
        *gan.players["generator"].optimizer.variables,
        *gan.players["critic"].optimizer.variables,
    ]:
        if "float" in variable.dtype:
            variable.assign(rng.normal(size=variable.shape))
    gan.step.assign(step)
    gan.rollbacks.assign(2 * step)


@pytest.fixture
def saved(small_config, build, state, tmp_path):
    """A run with checkpoints at steps 0, 1 and 2: (run, its Checkpoints, the states at each)."""
    run = build(small_config(), workdir=tmp_path)
    kept, states = Checkpoints(tmp_path / "checkpoints"), []
    for step in range(3):
        move(run.model, step)
        kept.save(run.model)
        states.append(state(run.model))
    return run, kept, states


@pytest.fixture
def warnings(monkeypatch):
    """The warnings logged, as text."""
    found = []
    monkeypatch.setattr(checkpoints.logging, "warning", lambda message, *args: found.append(message % args))
    return found


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing is slow and no subject here."""
    monkeypatch.setattr(callbacks.DrawSamples, "act", lambda self, step, logs: None)


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[int(position * (len(content) - 1))] ^= 0x10
    path.write_bytes(bytes(content))


def damage_first(directory):
    flip(directory / "weights.data-00000-of-00001", 0.0)


def damage_middle(directory):
    flip(directory / "weights.data-00000-of-00001", 0.5)


def cut_data(directory):
    path = directory / "weights.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:-100])


def cut_index(directory):
    path = directory / "weights.index"
    path.write_bytes(path.read_bytes()[: len(path.read_bytes()) // 2])


def empty_index(directory):
    (directory / "weights.index").write_bytes(b"")


def lose_data(directory):
    (directory / "weights.data-00000-of-00001").unlink()


def lose_all(directory):
    for path in directory.iterdir():
        path.unlink()


DAMAGES = [damage_first, damage_middle, cut_data, cut_index, empty_index, lose_data, lose_all]


def test_what_is_saved_is_restored(saved, build, small_config, state, assert_same):
    _, kept, states = saved
    assert kept.steps() == [0, 1, 2]
    other = build(small_config(changes={"seed": 5}))
    for step in (1, 2, 0):
        kept.restore(other.model, step)
        assert_same(state(other.model), states[step])


def test_a_checkpoint_that_lacks_some_of_the_state_is_not_restored(saved, build, small_config):
    _, kept, _ = saved
    config = small_config()
    config.dynamics, config.dynamics_options = "historical_averaging", {}
    # Its running means are not among what was saved.
    with pytest.raises(AssertionError, match=r"past_mean|iterates"):
        kept.restore(build(config).model, 1)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_is_skipped_with_a_warning(damage, saved, build, small_config, state, assert_same, warnings):
    _, kept, states = saved
    damage(kept.path(2))
    other = build(small_config(changes={"seed": 5}))
    assert kept.restore_newest(other.model) == 1
    assert_same(state(other.model), states[1])
    (warning,) = warnings
    assert warning.startswith(f"Checkpoint {kept.path(2)} is damaged, skipped: ")
    assert "\n" not in warning


def test_all_damaged_is_a_wrong_request_and_names_the_directory(saved, warnings):
    run, kept, _ = saved
    for damage, step in zip((damage_middle, cut_index, lose_data), kept.steps()):
        damage(kept.path(step))
    with pytest.raises(RequestError, match=f"{kept.directory}: none of its 3 checkpoints can be read"):
        kept.restore_newest(run.model)
    assert len(warnings) == 3


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one(
    small_config, build, state, assert_same, warnings, tmp_path
):
    config = small_config(changes={"train.checkpoint_every": 2})
    whole = build(config, workdir=tmp_path)
    training.train(whole)
    damage_middle(tmp_path / "checkpoints" / "step_00000006")
    again = build(config, workdir=tmp_path)
    training.train(again)
    assert_same(state(whole.model), state(again.model))
    assert len(warnings) == 1
    # The damaged one was replaced.
    assert_same(state(building.open_run(tmp_path).model), state(whole.model))
    assert len(warnings) == 1


def test_a_failure_while_saving_leaves_no_checkpoint_and_the_older_intact(saved, state, assert_same, monkeypatch):
    run, kept, states = saved
    move(run.model, 3)
    write = tf.train.Checkpoint.write

    def disk_full(self, prefix, *args, **kwargs):
        write(self, prefix, *args, **kwargs)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.Checkpoint, "write", disk_full)
        with pytest.raises(OSError, match="No space left"):
            kept.save(run.model)
    assert kept.steps() == [0, 1, 2]
    assert kept.restore_newest(run.model) == 2
    assert_same(state(run.model), states[2])
    move(run.model, 3)
    kept.save(run.model)
    # What the failure left behind is gone too.
    assert sorted(path.name for path in kept.directory.iterdir()) == [f"step_0000000{n}" for n in (1, 2, 3)]


def test_only_the_newest_are_kept(small_config, build, tmp_path):
    config = small_config(changes={"train.checkpoint_every": 1, "train.keep_checkpoints": 2})
    training.train(build(config, workdir=tmp_path))
    assert Checkpoints(tmp_path / "checkpoints").steps() == [5, 6]


def test_later_checkpoints_are_dropped_and_an_empty_directory_has_none(saved, tmp_path):
    run, kept, _ = saved
    kept.drop_after(0)
    assert kept.steps() == [0]
    assert Checkpoints(tmp_path / "nowhere").restore_newest(run.model) is None


@pytest.mark.parametrize("objective", [*objectives.METHODS.names(), "mixture", "conditional"])
def test_every_variable_of_every_network_is_in_a_checkpoint(objective, small_config, build, tmp_path):
    changes = {"mixture.components": 2} if objective == "mixture" else {}
    model = build(small_config(objective, changes)).model
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(model)
    for network in (model.averaged_generator, *model.networks.values()):
        for variable in network.variables:
            variable.assign(tf.cast(tf.fill(variable.shape, 7), variable.dtype))
    checkpoints.restore(model, 0)
    for network in (model.averaged_generator, *model.networks.values()):
        for variable in network.variables:
            assert not np.all(variable.numpy() == 7), variable.path
