"""The lower bound on a run's memory, against the networks themselves."""

import math
import types

import pytest
import tensorflow as tf

import configs.digits
import configs.ring
from trainers import config as config_checks
from trainers import memory, networks, objectives
from trainers.resolve import resolve
from zoo.datasets import DataSpec
from zoo.errors import RequestError


@pytest.mark.parametrize(
    "file, variant, changes",
    [
        ("ring", "minimax", {}),
        ("ring", "noise_contrastive", {}),
        ("ring", "mixture", {}),
        ("ring", "vae", {}),
        ("ring", "conditional", {}),
        ("digits", "minimax", {"critic.normalization": "virtual_batch", "train.precision": "mixed_bfloat16"}),
        ("digits", "energy_based", {"train.precision": "float64"}),
        ("digits", "super_resolution", {}),
    ],
)
def test_the_weights_counted_are_those_of_the_networks(file, variant, changes):
    config = getattr(configs, file).get_config(variant)
    config.update_from_flattened_dict(changes)
    spec, config = config_checks.check(config).spec, resolve(config)
    weights, batch = memory._least(config, spec, 64)
    objective = objectives.METHODS.load(config.objective)
    made = networks.make(config, spec, objective)
    sizes = [
        sum(math.prod(variable.shape) * tf.as_dtype(variable.dtype).size for variable in network.variables)
        for network in made
    ]
    assert weights == sizes[0] + sum(sizes)
    assert batch > 0 or variant == "noise_contrastive"


def test_the_batch_counted_is_the_outputs_of_the_linear_layers():
    config = configs.ring.get_config()
    # Two hidden layers of 128 and a point; one hidden layer of 128 and a score; four bytes each.
    assert memory._least(config, DataSpec((2,)), 10)[1] == 10 * (128 + 128 + 2 + 128 + 1) * 4


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"train.batch_size": 10**8}, r"and 144.2 GiB for a batch of 100000000; expected less than the 8.0 GiB"),
        ({"generator.latent_dim": 10**9}, r"at least 953.7 GiB of weights"),
    ],
)
def test_what_memory_cannot_hold_is_refused_before_it_is_taken(changes, message):
    config = configs.ring.get_config()
    config.update_from_flattened_dict(changes)
    with pytest.raises(RequestError, match=message):
        memory.check(config, DataSpec((2,)), available=8 * 2**30)


def test_the_refusal_names_the_keys_of_the_networks_that_the_objective_has():
    for variant, keys in (("minimax", "generator, config.critic"), ("vae", "generator, config.encoder")):
        with pytest.raises(RequestError, match=rf"^config\.{keys}, config\.train\.batch_size: at least"):
            memory.check(resolve(configs.ring.get_config(variant)), DataSpec((2,)), available=1024)


def test_replicas_share_a_batch_and_what_fits_passes():
    config = configs.ring.get_config()
    config.train.batch_size = 8_000_000
    with pytest.raises(RequestError, match=r"11\.5 GiB for a batch of 8000000"):
        memory.check(config, DataSpec((2,)), available=8 * 2**30)
    memory.check(config, DataSpec((2,)), replicas=2, available=8 * 2**30)


@pytest.mark.parametrize("limit, available", [("max\n", 2**33), ("9223372036854771712\n", 2**33), ("1024\n", 1024)])
def test_a_containers_limit_counts_where_it_is_less_than_the_machine_has(limit, available, tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(memory, "_LIMITS", (f"{tmp_path}/memory.max", f"{tmp_path}/of_the_other_version"))
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: types.SimpleNamespace(available=2**33))
    assert memory._available() == available
