"""Configs, checkpoints and SavedModels of the previous release can still be opened.

`tests/data/release_1` holds a run of `manifold_diffusion` on the ring, three steps with that release's techniques
turned on, and the SavedModel of its generator. `expected.npz` has the samples that the release itself drew.
"""

import json
import pathlib
import shutil

import numpy as np
import pytest

from export.evaluation import subject
from export.generators import Generator
from trainers import build as building
from trainers import former, training
from trainers import workdir as workdirs
from zoo.datasets import DataSpec

RELEASE = pathlib.Path(__file__).parents[1] / "data" / "release_1"


@pytest.fixture
def run(tmp_path):
    """The run of the former release, in a place where it can be trained on."""
    shutil.copytree(RELEASE / "run", tmp_path / "run")
    return tmp_path / "run"


def test_a_config_of_version_1_is_the_same_run():
    held = {
        "seed": 3,
        "instance_noise": {"std": 0.3, "until": 0.5},
        "weight_clip": 0.02,
        "penalties": [
            {"name": "gradient_norm", "weight": 2.0, "at": "real", "target": 0.0},
            {"name": "zero_centred"},
            {"name": "gradient_norm", "at": "fake"},
        ],
    }
    found = former.upgrade(held, 1)
    assert found["techniques"] == {
        "instance_noise": {"std": 0.3, "until": 0.5},
        "weight_clipping": {"bound": 0.02},
        "gradient_norm": {"weight": 2.0, "at": "real", "target": 0.0},
        "zero_centred": {"weight": None},
        "gradient_norm_2": {"name": "gradient_norm", "weight": None, "at": "fake"},
    }
    assert found.keys() == {"seed", "techniques", "mixture", "conditional", "encoder"}
    assert found["conditional"]["critic"] == "none" and not found["encoder"]
    assert "penalties" in held  # Left as it was.
    assert former.upgrade(found, former.SCHEMA_VERSION) == found


def test_what_was_off_in_version_1_is_off():
    found = former.upgrade({"instance_noise": {"std": 0.0, "until": 0.5}, "weight_clip": 0.0, "penalties": []}, 1)
    assert not any(found["techniques"].values())
    # The first configs lacked these keys.
    assert former.upgrade({}, 1) == {**former.upgrade({}, 1), "techniques": found["techniques"]}


def test_a_later_version_is_refused():
    with pytest.raises(ValueError, match="schema_version 4; this release reads up to 3"):
        former.upgrade({}, 4)


def test_a_run_of_the_former_release_is_opened_sampled_and_trained_on(run):
    expected = np.load(RELEASE / "expected.npz")
    opened = building.open_run(run)
    assert int(opened.model.step) == 3
    # Another machine may round the last digits differently.
    np.testing.assert_allclose(opened.model.sample(range(5)), expected["samples"], rtol=1e-5, atol=1e-6)
    for name, player in opened.model.players.items():
        assert int(player.optimizer.iterations) == 3, name
    for name in ("generator", "critic", "encoder", "manifold_critic"):
        for index, weight in enumerate(getattr(opened.model, name).get_weights()):
            np.testing.assert_array_equal(weight, expected[f"{name}_{index}"])
    config = opened.config.copy_and_resolve_references()
    config.train.steps = 5
    workdirs.check_workdir(run, config)
    training.train(building.build(config, spec=DataSpec((2,)), workdir=run))
    held = json.loads((run / "config.json").read_text())
    assert held["schema_version"] == former.SCHEMA_VERSION
    assert held["changes"] == [{"step": 3, "train.steps": [3, 5]}]
    again = building.open_run(run).model
    assert int(again.step) == 5
    # Written in the current version, and read as such.
    assert again.techniques == opened.model.techniques != ()


def test_a_saved_model_of_the_former_release_is_sampled():
    expected = np.load(RELEASE / "expected.npz")
    found = Generator.load(RELEASE / "model").sample(np.arange(5))
    np.testing.assert_allclose(found, expected["samples"], rtol=1e-5, atol=1e-6)


def test_the_untrained_generator_of_a_former_model_card_can_be_built():
    evaluated = subject.of_saved_model(RELEASE / "model")
    assert evaluated.untrained.sample(np.arange(3)).shape == (3, 2)
