"""Imports every network and layer of the zoo, which registers them with Keras: a .keras file of one then loads.

    import zoo.networks

    generator = keras.saving.load_model("generator.keras")

``import zoo`` alone does not: it leaves TensorFlow out.
"""

from zoo import (
    autoencoder,
    codes,
    conditional,
    dcgan,
    densities,
    encoder,
    layers,
    mixture,
    mlp,
    progressive,
    rbm,
    resnet,
    stacked,
    super_resolution,
)

__all__ = [
    "autoencoder",
    "codes",
    "conditional",
    "dcgan",
    "densities",
    "encoder",
    "layers",
    "mixture",
    "mlp",
    "progressive",
    "rbm",
    "resnet",
    "stacked",
    "super_resolution",
]
