"""Fréchet and kernel distance, precision, recall, density and coverage: ours against TF-GAN's functions and prdc's.

    python -m benchmarks.metrics --num=10000 --dim=2048

Both sides measure the same features, each in a process of its own, in turns. Prints how the medians of wall and
processor time compare, the peak memory of each side, and the values.
"""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import prdc
import tensorflow as tf
from absl import app, flags

from export.metrics.frechet import GaussianStatistics, frechet_distance
from export.metrics.kernel import kernel_distance
from export.metrics.precision_recall import manifold_metrics
from export.metrics.tfgan import import_tfgan

_NEIGHBOURS, _BLOCK = 5, 1000
# Imported before anything is measured: imports are not what is compared.
_TFGAN = import_tfgan()


def features(num, dim):
    """Two sets [num, dim], float32: rectified, correlated and of unequal spread, as those of a classifier."""
    rng = np.random.default_rng(0)
    mixing = (
        rng.normal(size=(dim, dim)).astype(np.float32) / np.sqrt(dim) / np.sqrt(1.0 + np.arange(dim, dtype=np.float32))
    )
    sets = [rng.normal(size=(num, dim)).astype(np.float32) @ mixing + shift for shift in (0.0, 0.02)]
    return [np.maximum(each, 0.0).astype(np.float32) for each in sets]


def ours(real, samples):
    """{metric: value} by this package."""
    return {
        "frechet_distance": frechet_distance(*map(GaussianStatistics.from_features, (real, samples))),
        "kernel_distance": kernel_distance(real, samples, block_size=_BLOCK, seed=None).value,
        **manifold_metrics(real, samples, _NEIGHBOURS, _NEIGHBOURS).values(),
    }


def theirs(real, samples):
    """{metric: value} by TF-GAN and prdc."""
    evaluation, tensors = _TFGAN.eval, [tf.constant(each) for each in (real, samples)]
    found = {
        "frechet_distance": float(evaluation.frechet_classifier_distance_from_activations(*tensors)),
        "kernel_distance": float(
            evaluation.kernel_classifier_distance_from_activations(*tensors, max_block_size=_BLOCK)
        ),
    }
    with contextlib.redirect_stdout(None):
        return found | prdc.compute_prdc(real, samples, _NEIGHBOURS)


def measured(side, num, dim):
    """{values, wall, processor, peak}: a side's values, its seconds of both kinds, and this process' peak bytes."""
    sets = features(num, dim)
    wall, processor = time.perf_counter(), _processor_time()
    values = side(*sets)
    seconds = time.perf_counter() - wall, _processor_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"values": values, "wall": seconds[0], "processor": seconds[1], "peak": peak}


def _processor_time():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(name, num, dim):
    """`measured` of a side by its name, in a new process."""
    command = [sys.executable, "-m", "benchmarks.metrics", f"--side={name}", f"--num={num}", f"--dim={dim}"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(argv):
    del argv
    given = flags.FLAGS
    if given.side:
        print(json.dumps(measured({"ours": ours, "theirs": theirs}[given.side], given.num, given.dim)))
        return
    rows = {"ours": [], "theirs": []}
    for _ in range(given.rounds):
        for name, found in rows.items():
            found.append(run(name, given.num, given.dim))
            print("{}: {wall:.1f} s, {processor:.1f} s of processors".format(name, **found[-1]), flush=True)
    for key in ("wall", "processor"):
        medians = {name: statistics.median(row[key] for row in found) for name, found in rows.items()}
        print(f"{key} time: {medians['theirs'] / medians['ours']:.2f} times as fast")
    for name, found in rows.items():
        print(f"peak memory, {name}: {max(row['peak'] for row in found) / 2**30:.2f} GiB")
    for name, value in rows["theirs"][0]["values"].items():
        print(f"{name}: {rows['ours'][0]['values'][name]:.9g}, theirs {value:.9g}")


if __name__ == "__main__":
    flags.DEFINE_integer("num", 10_000, "Features in each set.", 100)
    flags.DEFINE_integer("dim", 2048, "Width of the features.", 2)
    flags.DEFINE_integer("rounds", 1, "Runs of each side.", 1)
    flags.DEFINE_enum("side", None, ["ours", "theirs"], "One side alone, in this process, as JSON.")
    app.run(main)
