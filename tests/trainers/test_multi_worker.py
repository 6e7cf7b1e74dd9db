"""Two workers, each a process with its own device, end with the weights of one process, and stop together."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np

from trainers import training

ROOT = pathlib.Path(__file__).parents[2]

#: What a worker does: the train program's own path, its weights written aside for the test.
WORKER = """
import os, signal, sys
import ml_collections, json, numpy as np
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(1)
from trainers import build as building
from trainers import callbacks, config as config_checks, program, strategies, training, workers
from zoo.errors import RequestError
arrived = []
signal.signal(signal.SIGTERM, lambda signum, frame: arrived.append(signum))
strategy = strategies.make("auto")
# TensorFlow takes this signal while the workers come together; afterwards it is Python's again.
os.kill(os.getpid(), signal.SIGTERM)
assert arrived == [signal.SIGTERM], arrived
assert type(strategy).__name__ == "CollectiveAllReduceStrategy", strategy
assert strategy.num_replicas_in_sync == 2
config = ml_collections.ConfigDict(json.loads(sys.argv[1]))
_, index = workers.cluster()

# Another config on one worker is refused on all, before anything is built.
other = config.copy_and_resolve_references()
other.seed = index
try:
    building.build(other, config_checks.check(other, replicas=2), strategy=strategy)
    raise SystemExit("two seeds were accepted")
except RequestError as error:
    assert "worker 1 differs from worker 0 in seed (there 0, here 1)" in str(error), error

run = building.build(config, config_checks.check(config, replicas=2), strategy=strategy, workdir=sys.argv[2])
training.train(run)
np.savez(sys.argv[3], *[variable.numpy() for variable in run.model.variables])

# A signal to the worker that does not write the workdir: all stop after the same step, and it is saved.
class Signal(callbacks.StopOnSignal):
    def on_train_batch_end(self, batch, logs=None):
        if index == 1 and int(self.model.step.numpy()) == 6:
            os.kill(os.getpid(), signal.SIGTERM)
        super().on_train_batch_end(batch, logs)

callbacks.StopOnSignal = Signal
config.train.steps, config.train.checkpoint_every = 12, 100
run.config = config
try:
    training.train(run)
    raise SystemExit("nobody stopped")
except program.Interrupted as stopped:
    print(stopped.code, stopped)
    assert (run.workdir / "checkpoints" / "step_00000006").exists()
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_two_workers_learn_what_one_process_learns(small_config, build, tmp_path):
    changes = {
        "train.precision": "float64",
        "critic.normalization": "batch",
        "train.steps": 4,
        "train.checkpoint_every": 2,
        "train.sample_every": 4,
        "train.decay_from": 1.0,
    }
    config = small_config("non_saturating", changes)
    workers = [f"localhost:{port}" for port in free_ports(2)]
    processes = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    WORKER,
                    config.to_json_best_effort(),
                    tmp_path / "run",
                    tmp_path / f"{index}.npz",
                ],
                cwd=ROOT,
                env={**os.environ, "TF_CONFIG": json.dumps(task), "CUDA_VISIBLE_DEVICES": ""},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    alone = build(config, workdir=tmp_path / "alone")
    training.train(alone)
    outputs = []
    try:
        for process in processes:
            output, _ = process.communicate(timeout=180)
            assert process.returncode == 0, output[-3000:]
            outputs.append(output)
    finally:
        for process in processes:
            process.kill()
    saved = "saved at step 6; the same command goes on from there"
    assert f"143 SIGTERM at another worker: {saved}" in outputs[0] and f"143 SIGTERM: {saved}" in outputs[1]
    first, second = (np.load(tmp_path / f"{index}.npz") for index in range(2))
    assert len(first.files) == len(alone.model.variables)
    for name, variable in zip(first.files, alone.model.variables):
        np.testing.assert_array_equal(first[name], second[name])
        # Float64 sums in another order; Adam divides gradients by their size.
        np.testing.assert_allclose(first[name], variable.numpy(), rtol=1e-9, atol=1e-10)
    # One workdir, written by the first worker alone, as if it had been one process.
    names = [sorted(path.name for path in (tmp_path / run / "samples").iterdir()) for run in ("run", "alone")]
    assert names[0] == names[1]
    assert [path.name for path in sorted((tmp_path / "run" / "checkpoints").iterdir())] == [
        f"step_0000000{step}" for step in (2, 4, 6)
    ]
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 6
