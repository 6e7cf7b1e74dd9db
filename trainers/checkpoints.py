"""Checkpoints, written atomically: `checkpoints/step_00001000/` in a workdir."""

import tempfile

import tensorflow as tf
from absl import logging
from etils import epath

from trainers.workdir import checkpoint_steps
from zoo.errors import RequestError


class Checkpoints:
    """The checkpoints of one run: everything that the next step depends on.

    TensorFlow stores a checksum with every tensor and checks it on reading, so a damaged file cannot be restored by
    accident.

    Args:
        directory: that holds them.
        keep: number of the newest to keep.
    """

    def __init__(self, directory, keep=3):
        self.directory, self.keep = epath.Path(directory), keep

    def steps(self):
        """Steps of the existing checkpoints, oldest first."""
        return checkpoint_steps(self.directory)

    def path(self, step):
        """Directory of the checkpoint at `step`."""
        return self.directory / f"step_{step:08d}"

    def save(self, model):
        """Writes `model` under its step, unless that exists, and removes the oldest beyond `keep`."""
        target = self.path(int(model.step.numpy()))
        if target.exists():
            return
        if not model.distribute_strategy.extended.should_checkpoint:
            # Reading a variable may need all workers, so they all write; only the first one's copy stays.
            with tempfile.TemporaryDirectory() as aside:
                _checkpoint(model).write(f"{aside}/weights")
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        aside = self.directory / f".writing_{target.name}"
        if aside.exists():
            aside.rmtree()
        aside.mkdir()
        _checkpoint(model).write(str(aside / "weights"))
        aside.rename(target)
        for step in self.steps()[: -self.keep]:
            self.path(step).rmtree()

    def restore(self, model, step):
        """Loads the checkpoint at `step` into `model`, which must have been compiled.

        Raises:
            tf.errors.OpError: a file is missing or damaged.
        """
        status = _checkpoint(model).read(str(self.path(step) / "weights"))
        status.assert_existing_objects_matched()

    def restore_newest(self, model):
        """Loads the newest checkpoint that can be read; returns its step, or None if there is none at all.

        A damaged one is skipped with a warning in favour of the one before.

        Raises:
            RequestError: there are checkpoints and every one is damaged.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                self.restore(model, step)
            except (tf.errors.OpError, ValueError, LookupError, AssertionError) as error:
                logging.warning("Checkpoint %s is damaged, skipped: %s", self.path(step), str(error).split("\n")[0])
                continue
            return step
        if steps:
            raise RequestError(f"{self.directory}: none of its {len(steps)} checkpoints can be read")
        return None

    def drop_after(self, step):
        """Removes the checkpoints later than `step`."""
        for later in self.steps():
            if later > step:
                self.path(later).rmtree()


def _checkpoint(model):
    # The root and its parts keep the names of the first release's checkpoints.
    return tf.train.Checkpoint(gan=tf.train.Checkpoint(**model.state()))
