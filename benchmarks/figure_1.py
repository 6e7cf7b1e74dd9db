"""Figure 1 of Manisha & Gujar's survey (2018): samples of an RBM, a VAE and a DCGAN, trained on the same images, and
how far they are from these.

    python -m benchmarks.figure_1 --data=digits --workdir=runs/figure_1

Trains the variants of the data's config one after the other, or resumes what the directory holds of them, and evaluates
each as `python -m export.evaluate` does. The picture goes to figure_1.png there, the table to figure_1.md.
"""

import importlib
import json
import os

import numpy as np
from absl import flags, logging
from etils import epath

from trainers import config as config_checks
from trainers import program, workdir
from zoo import grids
from zoo.files import check_writable, write_whole
from zoo.pixels import to_uint8

_DATA = flags.DEFINE_enum("data", "digits", ["digits", "fashion_mnist"], "Config of the data: a file of configs/.")
_WORKDIR = flags.DEFINE_string("workdir", "runs/figure_1", "Directory for a run of each method, the picture and table.")
_STEPS = flags.DEFINE_integer("steps", None, "Steps of each; those of its variant if not given.", lower_bound=1)
_SAMPLES = flags.DEFINE_integer(
    "num_samples", 10_000, "Samples, never more than there are test images.", lower_bound=20
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the weights, the noise and the order of the data.", lower_bound=0)

#: Rows of the picture → variants of the configs, in the figure's order.
_VARIANTS = {"RBM": "rbm", "VAE": "vae", "DCGAN": "non_saturating"}
_COLUMNS = 10
_METRICS = {"frechet_distance": "Fréchet distance", "precision": "precision", "recall": "recall"}


def config_of(variant):
    """The config of a row's run."""
    config = importlib.import_module(f"configs.{_DATA.value}").get_config(variant)
    config.seed = _SEED.value
    if _STEPS.value:
        config.train.steps = _STEPS.value
    return config


def trained(config, directory):
    """Trains the run in `directory` to its last step and evaluates it; its first samples and its report.

    Returns:
        uint8 [10, H, W, 1], and the dict that report.json holds.
    """
    import keras

    from export import evaluate, report
    from export.evaluation import subject
    from trainers import build, training

    keras.backend.clear_session()
    run = build.build(config, config_checks.check(config), workdir=directory)
    training.train(run)
    folder = directory / "report"
    if report.step(folder) != config.train.steps:
        evaluate.report_on(subject.of_workdir(directory), folder, "--workdir", num_samples=_SAMPLES.value)
    images = subject.of_workdir(directory).generator.sample(np.arange(_COLUMNS))
    return images, json.loads((folder / "report.json").read_text())


def table(reports):
    """The results in Markdown; `reports` are {row of the picture: what report.json holds}."""
    lines = [f"| method | images seen | {' | '.join(_METRICS.values())} |", f"|{'---|' * (2 + len(_METRICS))}"]
    for name, found in reports.items():
        cells = []
        for metric in _METRICS:
            value, interval = found["metrics"][metric]["value"], found["metrics"][metric]["interval"]
            cells.append(f"{value:.3g} ({interval[0]:.3g} to {interval[1]:.3g})" if interval else f"{value:.3g}")
        lines.append(f"| {name} | {found['generator']['images_seen']:,} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv):
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    out = epath.Path(_WORKDIR.value)
    check_writable(out, "--workdir")
    configs = {name: config_of(variant) for name, variant in _VARIANTS.items()}
    for name, config in configs.items():
        data = config_checks.check(config)
        workdir.check_workdir(out / _VARIANTS[name], config)
    program.start_tensorflow()
    logging.set_verbosity(logging.INFO)
    rows, reports = {"data": to_uint8(data.arrays("test", _COLUMNS)[0])}, {}
    for name, config in configs.items():
        rows[name], reports[name] = trained(config, out / _VARIANTS[name])
    grids.save_grid(np.concatenate(list(rows.values())), out / "figure_1.png", names=list(rows))
    write_whole(out / "figure_1.md", table(reports).encode())
    print(table(reports), end="")
    print(out / "figure_1.png")


if __name__ == "__main__":
    program.run(main)
