"""Generators without networks, and reports without runs."""

import numpy as np

from export.generators import Generator
from export.report import writer


def generator_of(sample, data_shape, latent_dim=2):
    """A `Generator` whose samples are those of a function of seeds."""
    return Generator(sample, lambda latents: np.zeros([len(latents), *data_shape]), latent_dim, data_shape, 0)


def write_report(measured, data, tmp_path, rows=(), **generator):
    """Writes the report on an evaluation; the path of report.html."""
    described = {"origin": "workdir", "path": "runs/one", "parameters": 7, "latent_dim": 2, **generator}
    report = writer.compose(measured, generator=described, data=data, num_asked=1000, first_seed=0, seeded=True)
    return writer.write(report, measured, list(rows), tmp_path / "report")
