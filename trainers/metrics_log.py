"""What a run logs while it trains: `metrics.jsonl`, and TensorBoard's `logs/`."""

import json
import numbers

import tensorflow as tf
from etils import epath

from trainers import workdir as workdirs
from zoo.files import write_whole


class MetricsLog:
    """The log of one run.

    Args:
        workdir: the run's directory.
    """

    def __init__(self, workdir):
        self.workdir = epath.Path(workdir)
        self.path = self.workdir / "metrics.jsonl"
        self._writer = None

    def start(self, step):
        """Begins at `step`: rows of later steps are dropped, so that a resumed run's file matches an uninterrupted
        one's."""
        kept = [json.dumps(row) + "\n" for row in self.rows() if row["step"] <= step]
        write_whole(self.path, "".join(kept).encode())
        self._writer = tf.summary.create_file_writer(str(self.workdir / "logs"))

    def rows(self):
        """The rows so far, as of `trainers.workdir.read_metrics`."""
        return workdirs.read_metrics(self.workdir)

    def append(self, step, row):
        """Adds a row.

        Args:
            step: int.
            row: {name: number or text, or a dict of these}. TensorBoard shows the numbers, those of a dict as
                "NAME/KEY".
        """
        with self._writer.as_default(step=step):
            for name, value in _flat(row).items():
                if isinstance(value, numbers.Real):
                    tf.summary.scalar(name, value)
        self._writer.flush()
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **row}) + "\n")

    def text(self, step, name, text):
        """Shows Markdown in TensorBoard."""
        with self._writer.as_default(step=step):
            tf.summary.text(name, text)


def _flat(row):
    flat = {}
    for name, value in row.items():
        flat |= {f"{name}/{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return flat
