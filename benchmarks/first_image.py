"""Seconds from the start of Python to a pretrained model's first image, and those of `import tensorflow` alone.

    python -m benchmarks.first_image
    python -m benchmarks.first_image --python=ENVIRONMENT/bin/python

Medians of interleaved runs, each a new process in an empty folder with an empty cache of downloads; one run of each
before them is not timed.
"""

import os
import subprocess
import sys
import tempfile

from absl import app, flags

from benchmarks.interleaved import interleaved

_PYTHON = flags.DEFINE_string("python", sys.executable, "Of the environment that has the package installed.")
_MODEL = flags.DEFINE_string("model", "fashion_mnist/conditional", "Name of the pretrained model.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns of each side.")


def _run(program):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "GAN_ZOO_CACHE": cache}
        # Else the package would be that of this folder.
        environment.pop("PYTHONPATH", None)
        subprocess.run(
            [_PYTHON.value, "-c", program], cwd=folder, env=environment, check=True, stderr=subprocess.DEVNULL
        )


def main(argv):
    del argv
    programs = {
        "import tensorflow": "import tensorflow",
        "first image": f"import zoo; zoo.load({_MODEL.value!r}).sample(1, seed=0)",
    }
    sides = {name: lambda program=program: _run(program) for name, program in programs.items()}
    for run in sides.values():
        run()
    for name, seconds in interleaved(sides, _ROUNDS.value).items():
        print(f"{name:20s} {seconds:6.2f} s")


if __name__ == "__main__":
    app.run(main)
