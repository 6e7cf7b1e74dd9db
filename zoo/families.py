"""The network families by name, and which data each can make. Free of TensorFlow, to check a request at once."""

import dataclasses
import importlib
from collections.abc import Callable

from zoo.errors import RequestError
from zoo.options import declared

#: Side lengths, in pixels, that the convolutional networks are laid out for.
IMAGE_SIZES = (8, 16, 28, 32, 64, 128)
IMAGE_CHANNELS = (1, 3)

#: Super-resolution makes images this many times as high and wide.
FACTOR = 4

#: Ways in which a conditional critic receives the label, see `zoo.conditional`.
CONDITIONAL_CRITICS = ("projection", "concatenation")

#: Normalisations that a critic can be built with. Under a per-example gradient penalty "batch" is wrong: it mixes
#: the examples, so the gradient of one score is not the gradient at one point (Gulrajani et al. 2017, section 4).
NORMALIZATIONS = ("batch", "layer", "none", "spectral", "virtual_batch")


@dataclasses.dataclass(frozen=True)
class Family:
    """Class names of a generator and a critic that belong together; None for one that the family lacks.

    `check_shape`, of a family for images alone, raises RequestError for others than its networks are laid out for:
    function of (data_shape, where). None for a family that takes any data. `encodes` tells whether an encoder can take
    its critic's layers, `reads_captions` whether the networks are told captions.
    """

    module: str
    generator: str | None
    critic: str | None
    check_shape: Callable | None = None
    encodes: bool = True
    reads_captions: bool = False

    @property
    def images_only(self):
        """Whether its networks are for images alone."""
        return self.check_shape is not None

    @property
    def encoder(self):
        """Name of the critic class whose layers an encoder takes; None unless the family has a generator too."""
        return self.critic if self.generator and self.encodes else None

    def generator_class(self):
        return getattr(importlib.import_module(self.module), self.generator)

    def critic_class(self):
        return getattr(importlib.import_module(self.module), self.critic)


def check_image_shape(data_shape, where="data_shape"):
    """Raises RequestError unless the convolutional networks can make images of `data_shape` (H, W, C)."""
    check_image_size(data_shape, where)
    _check_channels(data_shape, where)


def check_image_size(data_shape, where="data_shape"):
    """Raises RequestError unless the convolutional networks are laid out for images as large as `data_shape`."""
    sizes = ", ".join(map(str, IMAGE_SIZES))
    height, width = _check_images(data_shape, where)
    if height != width or height not in IMAGE_SIZES:
        raise RequestError(f"{where}: {height}x{width} pixels; the networks for images make square images of {sizes}")


def check_low_resolution(data_shape, where="data_shape"):
    """Raises RequestError unless images of `data_shape` (H, W, C) have low-resolution versions, a FACTOR smaller."""
    height, width = _check_images(data_shape, where)
    if height % FACTOR or width % FACTOR or min(height, width) < 2 * FACTOR:
        sides = f"sides that are multiples of {FACTOR}, {2 * FACTOR} or more"
        raise RequestError(f"{where}: {height}x{width} pixels; {FACTOR}x super-resolution needs {sides}")
    _check_channels(data_shape, where)


def check_growing_shape(data_shape, where="data_shape"):
    """Raises RequestError unless images of `data_shape` (H, W, C) are reached from 4×4 pixels by doubling the side."""
    height, width = _check_images(data_shape, where)
    stages, rest = divmod(height, 4)
    if height != width or rest or stages < 2 or stages & (stages - 1):
        reason = "networks that grow from 4x4 pixels double the side: 8, 16, 32, 64, …"
        raise RequestError(f"{where}: {height}x{width} pixels; {reason}")
    _check_channels(data_shape, where)


def check_stacked_shape(data_shape, where="data_shape"):
    """Raises RequestError unless images of `data_shape` (H, W, C) have sides of FACTOR times 8, 16, 32, … pixels."""
    height, width = _check_images(data_shape, where)
    side, rest = divmod(height, 2 * 4 * FACTOR)
    if height != width or rest or side < 1 or side & (side - 1):
        reason = f"two stages, the second of {FACTOR} times the side, make 32, 64, 128, …"
        raise RequestError(f"{where}: {height}x{width} pixels; {reason}")
    _check_channels(data_shape, where)


def _check_images(data_shape, where):
    if len(data_shape) != 3:
        raise RequestError(f"{where}: {tuple(data_shape)} are not images; convolutional networks make (H, W, C)")
    return data_shape[:2]


def _check_channels(data_shape, where):
    channels = data_shape[2]
    if channels not in IMAGE_CHANNELS:
        raise RequestError(f"{where}: {channels} channels; the networks for images make 1 (grey) or 3 (RGB)")


def check_normalization(name, where="normalization"):
    """Raises RequestError unless `name` is one of NORMALIZATIONS."""
    if name not in NORMALIZATIONS:
        raise RequestError(f"{where}: {name!r}; expected one of {', '.join(NORMALIZATIONS)}")


def check_grey(data_shape, where="data_shape"):
    """Raises RequestError unless examples of `data_shape` are grey images, whose pixels can be binary units."""
    if len(data_shape) != 3 or data_shape[2] != 1:
        found = "colour images; use config.data.channels=1" if len(data_shape) == 3 else "points"
        raise RequestError(f"{where}: the binary units of an rbm need grey images, not {found}")


FAMILIES = {
    "mlp": Family("zoo.mlp", "MLPGenerator", "MLPCritic"),
    "dcgan": Family("zoo.dcgan", "DCGANGenerator", "DCGANCritic", check_image_shape),
    "resnet": Family("zoo.resnet", "ResNetGenerator", "ResNetCritic", check_image_shape),
    "srgan": Family("zoo.super_resolution", "SRGANGenerator", "SRGANCritic", check_low_resolution),
    "progressive": Family(
        "zoo.progressive", "ProgressiveGenerator", "ProgressiveCritic", check_growing_shape, encodes=False
    ),
    "stacked": Family(
        "zoo.stacked", "StackedGenerator", "StackedCritic", check_stacked_shape, encodes=False, reads_captions=True
    ),
    "rbm": Family("zoo.rbm", "RBM", None, check_grey),
    "mlp_autoencoder": Family("zoo.autoencoder", None, "MLPAutoencoder"),
    "dcgan_autoencoder": Family("zoo.autoencoder", None, "DCGANAutoencoder", check_image_shape),
    "gaussian": Family("zoo.densities", "Gaussian", None),
    "gaussian_mixture": Family("zoo.densities", "GaussianMixture", None),
}


def described(network, player, use):
    """A network as a config describes it: the name of its family and a dict of its options.

    Args:
        network: Keras model.
        player: "generator" or "critic".
        use: what it is for, to begin the message with.

    Raises:
        RequestError: its class is no family's.
    """
    classes = {getattr(row, player): name for name, row in FAMILIES.items()}
    kind = type(network).__name__
    if kind not in classes:
        raise RequestError(f"config.{player}.family: {use} a {kind}; use mlp, dcgan or resnet")
    return classes[kind], {option: getattr(network, option) for option in declared(type(network))}


def names(player):
    """Names of the families that have a `player`: "generator", "critic" or "encoder"."""
    return [name for name, family in FAMILIES.items() if getattr(family, player)]
