"""Networks, data sets and noise; imports nothing from `trainers`.

The names below load on first use, so that a program can check a request without importing TensorFlow.
"""

import importlib

_HOMES = {
    "MLPGenerator": "zoo.mlp",
    "MLPDiscriminator": "zoo.mlp",
    "DCGANGenerator": "zoo.dcgan",
    "DCGANDiscriminator": "zoo.dcgan",
    "MLPAutoencoder": "zoo.autoencoder",
    "DCGANAutoencoder": "zoo.autoencoder",
    "Encoder": "zoo.encoder",
    "ConditionalGenerator": "zoo.conditional",
    "ConditionalDiscriminator": "zoo.conditional",
    "Gaussian": "zoo.densities",
    "GaussianMixture": "zoo.densities",
    "MixtureGenerator": "zoo.mixture",
    "MixtureDiscriminator": "zoo.mixture",
    "datasets": None,
    "families": None,
    "layers": None,
    "noise": None,
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    home = _HOMES[name]
    return importlib.import_module(f"zoo.{name}") if home is None else getattr(importlib.import_module(home), name)


def __dir__():
    return __all__
