"""Peak memory of training from folders of JPEGs of several sizes; it must not grow with the folder.

python -m benchmarks.folder_memory --sizes=6000,60000
"""

import pathlib
import resource
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags
from PIL import Image

_SIZES = flags.DEFINE_list("sizes", ["6000", "60000"], "Numbers of images.")
_STEPS = flags.DEFINE_integer("steps", 200, "Training steps on each folder.")
_FOLDER = flags.DEFINE_string("folder", None, "For this program's own use: train on this folder and report memory.")


def _write(folder, count):
    generator = np.random.default_rng(0)
    for index in range(count):
        if index % 1000 == 0:
            place = folder / f"class_{index // 1000 % 10}"
            place.mkdir(exist_ok=True)
        pixels = generator.integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(pixels).resize((48, 40), Image.Resampling.BILINEAR).save(place / f"{index}.jpg", quality=85)


def _train(folder):
    from configs.folder import get_config
    from trainers import build, training
    from trainers import config as config_checks

    config = get_config()
    config.data.source = f"folder:{folder}"
    run = build.build(config, config_checks.check(config))
    run.model.fit(training.batches(run, 0), steps_per_epoch=_STEPS.value, verbose=0)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def main(argv):
    del argv
    if _FOLDER.value:
        _train(_FOLDER.value)
        return
    peaks = []
    for size in map(int, _SIZES.value):
        with tempfile.TemporaryDirectory() as folder:
            _write(pathlib.Path(folder), size)
            command = [
                sys.executable,
                "-m",
                "benchmarks.folder_memory",
                f"--folder={folder}",
                f"--steps={_STEPS.value}",
            ]
            peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]))
        print(f"{size:7d} images   peak {peaks[-1]} MiB")
    print(f"growth {peaks[-1] - peaks[0]} MiB")


if __name__ == "__main__":
    app.run(main)
