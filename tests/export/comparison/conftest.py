"""Reports by hand, written as `export.report` writes them."""

import copy
import json
import pathlib
import shutil

import pytest

from zoo import pretrained

PACKAGED = pathlib.Path(pretrained.__file__).parent / "fashion_mnist" / "least_squares" / "1" / "assets.extra"


@pytest.fixture(scope="session")
def packaged():
    """What report.json of a pretrained model holds: a run of least squares on Fashion-MNIST, seed 0."""
    return json.loads((PACKAGED / "report.json").read_text())


@pytest.fixture
def write_run(packaged, tmp_path):
    """Function that writes a workdir with a report: of a seed, with other values of metrics and of the config."""

    def write(name, seed=0, metrics=None, pictures=True, **changes):
        report, root = copy.deepcopy(packaged), tmp_path / "runs" / name
        report["generator"]["seed"] = report["generator"]["config"]["seed"] = seed
        for key, value in (metrics or {}).items():
            report["metrics"][key]["value"] = value
        for key, value in changes.items():
            part, _, last = key.rpartition("__")
            (report["generator"]["config"][part] if part else report["generator"]["config"])[last] = value
        report["generator"]["objective"] = report["generator"]["config"]["objective"]
        (root / "report").mkdir(parents=True)
        (root / "report" / "report.json").write_text(json.dumps(report))
        config = {"schema_version": 3, "config": report["generator"]["config"], "data_shape": [28, 28, 1]}
        (root / "config.json").write_text(json.dumps(config))
        if pictures:
            shutil.copy(PACKAGED / "samples.png", root / "report")
        return root

    return write
