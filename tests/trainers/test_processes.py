"""The training program as a process: a run killed at random moments ends with the bytes of an uninterrupted one."""

import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from trainers import workdir as workdirs

ROOT = pathlib.Path(__file__).parents[2]
STEPS, EVERY = 2000, 100

COMMAND = [
    sys.executable,
    "-m",
    "trainers.train",
    "--config=configs/ring.py",
    "--config.generator.hidden_units=(16,16)",
    "--config.critic.hidden_units=(16,16)",
    "--config.train.batch_size=32",
    f"--config.train.steps={STEPS}",
    "--config.train.steps_per_execution=5",
    f"--config.train.checkpoint_every={EVERY}",
    "--config.train.log_every=20",
    f"--config.train.sample_every={STEPS}",
]


def start(workdir):
    return subprocess.Popen(
        [*COMMAND, f"--workdir={workdir}"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def newest(workdir):
    names = os.listdir(workdir / "checkpoints") if (workdir / "checkpoints").exists() else []
    return max((int(name[5:]) for name in names if re.fullmatch(r"step_\d{8}", name)), default=-1)


def wait_until(process, workdir, step):
    """Waits for a checkpoint of `step` or later."""
    end = time.monotonic() + 120.0
    while newest(workdir) < step:
        assert process.poll() is None, f"ended at {newest(workdir)}, before {step}: {process.communicate()[1]}"
        assert time.monotonic() < end, f"no checkpoint of step {step} in two minutes"
        time.sleep(0.005)


def tensors(workdir):
    """Every tensor of the last checkpoint, as bytes."""
    reader = tf.train.load_checkpoint(str(workdir / "checkpoints" / f"step_{STEPS:08d}" / "weights"))
    graph = "_CHECKPOINTABLE_OBJECT_GRAPH"
    found = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if name != graph}
    return {name: (value.dtype, value.shape, np.asarray(value).tobytes()) for name, value in found.items()}


def rows(workdir):
    return [{k: v for k, v in row.items() if k != "images_per_second"} for row in workdirs.read_metrics(workdir)]


@pytest.fixture
def children():
    """Processes of a test; none outlives it."""
    started = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_killed_at_random_moments_a_run_ends_with_the_same_bytes(children, tmp_path):
    seed = random.SystemRandom().randrange(2**32)
    chance = random.Random(seed)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    uninterrupted = start(whole)
    children.append(uninterrupted)
    # Two kills, then SIGTERM, as by a scheduler, each shortly after a random checkpoint and well before the end.
    moments = sorted(chance.sample(range(EVERY, STEPS // 2, EVERY), 3))
    for moment, signum in zip(moments, [signal.SIGKILL] * 2 + [signal.SIGTERM]):
        process = start(cut)
        children.append(process)
        wait_until(process, cut, moment)
        time.sleep(chance.uniform(0.0, 0.05))
        process.send_signal(signum)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if signum == signal.SIGKILL else 143), (seed, errors)
    last = errors.splitlines()[-1]
    saved = re.fullmatch(r"train\.py: SIGTERM: saved at step (\d+); the same command goes on from there", last)
    assert saved, errors
    assert newest(cut) == int(saved[1]) < STEPS
    process = start(cut)
    children.append(process)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, (seed, errors)
    assert f"Resumed from step {saved[1]} of {STEPS}" in errors
    _, errors = uninterrupted.communicate(timeout=120)
    assert uninterrupted.returncode == 0, errors
    assert len(tensors(whole)) > 20
    assert tensors(cut) == tensors(whole), (seed, moments)
    assert rows(cut) == rows(whole), (seed, moments)
    assert [row["step"] for row in rows(cut) if "diagnosed" not in row] == list(range(20, STEPS + 1, 20))
    assert [row["step"] for row in rows(cut) if "diagnosed" in row] == [1000, 2000]
    picture = pathlib.Path("samples") / f"step_{STEPS:08d}.png"
    assert (cut / picture).read_bytes() == (whole / picture).read_bytes()
    # Partial files of the killed runs are gone or hidden: every folder named like a checkpoint is one.
    assert all((path / "weights.index").exists() for path in (cut / "checkpoints").glob("step_*"))
