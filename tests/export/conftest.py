"""Tiny untrained generators: what is tested here does not ask for good ones."""

import keras
import pytest

import zoo
from export.saved_model import export_saved_model


@pytest.fixture(scope="session")
def sampler():
    """A 32×32 colour generator whose outputs fill the range (kernels far larger than at the start of training)."""
    keras.utils.set_random_seed(0)
    generator = zoo.DCGANGenerator((32, 32, 3), latent_dim=8, base_filters=16)
    for variable in generator.variables:
        if "kernel" in variable.path:
            variable.assign(variable * 8.0)
    return generator


@pytest.fixture(scope="session")
def version(sampler, tmp_path_factory):
    """Directory of an exported version of `sampler`, for reading only."""
    base = tmp_path_factory.mktemp("models")
    return export_saved_model(sampler, 8, (32, 32, 3), base, "tiny", card={"objective": "minimax", "step": 7})


@pytest.fixture(scope="session")
def point_sampler():
    keras.utils.set_random_seed(0)
    return zoo.MLPGenerator((2,), latent_dim=4, hidden_units=(16,))
