"""Every config with every objective passes the checks, and its run can be built if the data is available."""

import importlib

import pytest

from configs import base
from trainers import build as building
from trainers import config as config_checks
from trainers import dynamics, objectives
from zoo.errors import RequestError

#: Digits stand in for images that are not at hand, in the size and colours that the config expects.
STAND_INS = {
    "digits": {},
    "fashion_mnist": {"source": "digits", "image_size": 28},
    "folder": {"source": "digits", "channels": 3},
    "grid": {},
    "ring": {},
    "shapes": {},
}
#: Objectives of images alone; `tests/trainers/objectives/` has their refusal of points.
OF_IMAGES = ("progressive", "stacked", "super_resolution")
#: Options that keep a network of a family small.
SMALL = {
    "dcgan": {"base_filters": 2},
    "dcgan_autoencoder": {"base_filters": 2},
    "mlp": {"hidden_units": (4,)},
    "resnet": {"base_filters": 2},
    "progressive": {"filter_base": 16},
    "srgan": {"base_filters": 2},
    "stacked": {"base_filters": 2},
    "mlp_autoencoder": {"hidden_units": (4,)},
    "rbm": {"hidden_units": 4, "gibbs_steps": 2},
}
#: (config, objective) → why its data is not for that objective.
REFUSED = {
    ("fashion_mnist", "progressive"): "28x28 pixels; networks that grow from 4x4 pixels double the side",
    ("folder", "rbm"): "need grey images, not colour images",
    ("shapes", "rbm"): "need grey images, not colour images",
    ("digits", "stacked"): "8x8 pixels; two stages, the second of 4 times the side, make 32, 64, 128, …",
    ("fashion_mnist", "stacked"): "28x28 pixels; two stages, the second of 4 times the side, make 32, 64, 128, …",
    ("folder", "stacked"): "'stacked' makes images of captions; 'digits' has none, see captions.jsonl",
    ("grid", "rbm"): "need grey images, not points",
    ("ring", "rbm"): "need grey images, not points",
}


def small(file, variant):
    config = importlib.import_module(f"configs.{file}").get_config(variant)
    config.data.update(STAND_INS[file])
    for player in ("generator", "critic"):
        config[player].update(SMALL.get(config[player].family, {}))
    return config


def test_this_file_knows_every_config():
    import pathlib

    import configs

    files = {path.stem for path in pathlib.Path(configs.__file__).parent.glob("*.py")}
    assert files - {"__init__", "base", "zoo"} == set(STAND_INS)


@pytest.mark.parametrize("objective", objectives.METHODS.names())
@pytest.mark.parametrize("file", ["fashion_mnist", "folder"])
def test_every_objective_is_a_variant_that_passes_the_checks(file, objective):
    config = small(file, objective)
    if (file, objective) in REFUSED:
        with pytest.raises(RequestError, match=REFUSED[file, objective]):
            config_checks.check(config)
        return
    config_checks.check(config)
    assert building.resolve(config).objective == objective


@pytest.mark.parametrize(
    "file, objective",
    [
        (file, objective)
        for file in ("digits", "grid", "ring")
        for objective in objectives.METHODS.names()
        if file == "digits" or objective not in OF_IMAGES
    ],
)
def test_every_objective_is_a_variant_whose_run_can_be_built(file, objective):
    config = small(file, objective)
    if (file, objective) in REFUSED:
        with pytest.raises(RequestError, match=REFUSED[file, objective]):
            config_checks.check(config)
        return
    run = building.build(config, config_checks.check(config))
    assert run.config.objective == objective
    assert isinstance(run.model, objectives.METHODS.load(objective))
    assert run.model.generator.data_shape == run.data_shape
    # What the variant asks for has reached the optimizer.
    rate = float(run.model.players["generator"].optimizer.learning_rate)
    expected = config.generator_optimizer.get("learning_rate", run.model.default_optimizer["learning_rate"])
    assert rate == pytest.approx(expected)


@pytest.mark.parametrize("file", STAND_INS)
def test_every_variant_that_is_more_than_an_objective_can_be_built(file):
    module = importlib.import_module(f"configs.{file}")
    for variant in {*module.VARIANTS, *base.OBJECTIVES} - {*objectives.METHODS.names()}:
        config = small(file, variant)
        run = building.build(config, config_checks.check(config))
        assert isinstance(run.model, objectives.METHODS.load(config.objective)), variant
        assert ("/" not in variant) or variant.endswith(f"/{run.model.divergence}")


@pytest.mark.parametrize("play", dynamics.METHODS.names())
@pytest.mark.parametrize("file", ["ring", "grid"])
def test_every_dynamics_is_a_variant_behind_the_objective(file, play):
    config = small(file, f"minimax+{play}")
    assert isinstance(building.build(config, config_checks.check(config)).model.dynamics, dynamics.METHODS.load(play))
