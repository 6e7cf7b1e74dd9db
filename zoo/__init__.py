"""Networks, data sets and noise; imports nothing from `trainers`.

The names below load on first use, so that a program can check a request without importing TensorFlow.
"""

import importlib
import warnings

_HOMES = {
    "MLPGenerator": "zoo.mlp",
    "MLPCritic": "zoo.mlp",
    "DCGANGenerator": "zoo.dcgan",
    "DCGANCritic": "zoo.dcgan",
    "ResNetGenerator": "zoo.resnet",
    "ResNetCritic": "zoo.resnet",
    "SRGANGenerator": "zoo.super_resolution",
    "SRGANCritic": "zoo.super_resolution",
    "ProgressiveGenerator": "zoo.progressive",
    "ProgressiveCritic": "zoo.progressive",
    "StackedGenerator": "zoo.stacked",
    "StackedCritic": "zoo.stacked",
    "MLPAutoencoder": "zoo.autoencoder",
    "DCGANAutoencoder": "zoo.autoencoder",
    "Encoder": "zoo.encoder",
    "ConditionalGenerator": "zoo.conditional",
    "ConditionalCritic": "zoo.conditional",
    "CodedGenerator": "zoo.codes",
    "Gaussian": "zoo.densities",
    "GaussianMixture": "zoo.densities",
    "RBM": "zoo.rbm",
    "MixtureGenerator": "zoo.mixture",
    "MixtureCritic": "zoo.mixture",
    "load": "zoo.pretrained",
    "list_models": "zoo.pretrained",
    "datasets": None,
    "families": None,
    "grids": None,
    "layers": None,
    "noise": None,
    "pretrained": None,
}
#: Names of the former release, and what they are called now.
_FORMER = {
    "MLPDiscriminator": "MLPCritic",
    "DCGANDiscriminator": "DCGANCritic",
    "MixtureDiscriminator": "MixtureCritic",
}
__all__ = sorted(_HOMES)


def __getattr__(name):
    if name in _FORMER:
        warnings.warn(f"zoo.{name} is called zoo.{_FORMER[name]} now", FutureWarning, stacklevel=2)
        name = _FORMER[name]
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    home = _HOMES[name]
    return importlib.import_module(f"zoo.{name}") if home is None else getattr(importlib.import_module(home), name)


def __dir__():
    return __all__
