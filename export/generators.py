"""Generators of SavedModels, this package's or others', loaded for sampling."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np

from export.signatures import signatures
from zoo.errors import RequestError
from zoo.pixels import to_uint8
from zoo.pretrained import find_saved_model


@dataclasses.dataclass(frozen=True)
class Generator:
    """A generator of any origin, ready for sampling.

    Attributes:
        sample: seeds int64 [N] → NumPy uint8 [N, H, W, C], or points [N, d].
        generate: latents float32 [N, z] → NumPy output of the generator: [N, H, W, C] or [N, d].
        latent_dim: number of latents z.
        data_shape: (H, W, C) or (d,).
        parameters: number of weights.
        seeded: False if the model has no ``sample`` signature, so that seeds are converted to latents here.
        labels: seeds int64 [N] → NumPy int64 [N], the labels that `sample` draws; None for an unconditional generator.
        sample_with_labels: seeds int64 [N], labels int64 [N] → as `sample`; None for an unconditional generator.
        tensors: latents, a float32 tensor [N, z] → what `generate` gives, a tensor with gradients; None without any.
        upscale: images uint8 [N, h, w, C] → NumPy uint8 [N, 4h, 4w, C]; None for a generator that takes no images.
    """

    sample: Callable
    generate: Callable
    latent_dim: int
    data_shape: tuple
    parameters: int
    seeded: bool = True
    labels: Callable | None = None
    sample_with_labels: Callable | None = None
    upscale: Callable | None = None
    tensors: Callable | None = None

    @classmethod
    def of_sampler(cls, sampler, latent_dim, data_shape):
        """A generator with the signatures of its export, without writing it; arguments as in `signatures`."""
        functions = signatures(sampler, latent_dim, data_shape)
        (output,) = functions["sample"].get_concrete_function().structured_outputs
        return cls(
            lambda seeds: functions["sample"](np.asarray(seeds, np.int64))[output].numpy(),
            lambda latents: functions["serving_default"](np.asarray(latents, np.float32))[output].numpy(),
            latent_dim,
            tuple(data_shape),
            int(sampler.count_params()),
            tensors=lambda latents: sampler(latents, training=False),
            **_told(functions),
        )

    @classmethod
    def load(cls, path, where="--saved_model"):
        """The generator of a SavedModel: this package's, or any whose ``serving_default`` maps latents to examples.

        Without a ``sample`` signature, float images are taken to be in [-1, 1], uint8 images to be pixels.

        Args:
            path: directory of a version or of a model, of which the newest version is taken.
            where: name of the path in error messages.

        Raises:
            RequestError: there is no SavedModel, it is damaged, or its ``serving_default`` does not map float latents
                [N, z] to images [N, H, W, 1 or 3] or points [N, d].
        """
        path = find_saved_model(path, where)
        import tensorflow as tf

        try:
            model = tf.saved_model.load(os.fspath(path))
        except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
            raise RequestError(f"{where}: {path} cannot be loaded ({str(error).splitlines()[0]})") from error
        if "serving_default" not in model.signatures:
            names = ", ".join(model.signatures) or "none"
            raise RequestError(f"{where}: {path} has no signature serving_default (it has: {names})")
        generate = model.signatures["serving_default"]
        inputs, outputs = generate.structured_input_signature[1], generate.structured_outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise RequestError(
                f"{where}: {path}: serving_default takes {', '.join(inputs)} and gives {', '.join(outputs)}; "
                "expected latents alone, and images or points alone"
            )
        ((latents, spec),), (output,) = inputs.items(), outputs
        if spec.shape.rank != 2 or spec.shape[1] is None or not spec.dtype.is_floating:
            raise RequestError(
                f"{where}: {path}: serving_default takes {spec.dtype.name} {spec.shape}; expected float latents [N, z]"
            )
        latent_dim = int(spec.shape[1])

        def from_latents(values):
            return generate(**{latents: tf.cast(values, spec.dtype)})[output].numpy()

        probe = from_latents(np.zeros([1, latent_dim], np.float32))
        if probe.ndim not in (2, 4) or (probe.ndim == 4 and probe.shape[-1] not in (1, 3)):
            raise RequestError(
                f"{where}: {path}: serving_default gives {probe.dtype} {list(probe.shape)}; "
                "expected images [N, H, W, 1 or 3] or points [N, d]"
            )

        def from_seeds(seeds):
            from zoo.noise import Noise

            examples = from_latents(Noise.of_seeds(seeds).latents(latent_dim))
            if probe.ndim == 2 or examples.dtype == np.uint8:
                return examples
            return to_uint8(tf.cast(examples, tf.float32)).numpy()

        seeded = "sample" in model.signatures
        if seeded:
            sample = model.signatures["sample"]
            (drawn,) = sample.structured_outputs

            def from_seeds(seeds):
                return sample(seeds=tf.constant(seeds, tf.int64))[drawn].numpy()

        parameters = sum(int(np.prod(variable.shape)) for variable in generate.variables)
        told = _told(model.signatures)
        if np.issubdtype(probe.dtype, np.floating):
            # Of the model, which this keeps alive: traced into another function, a signature does not by itself.
            told["tensors"] = lambda values: model.signatures["serving_default"](
                **{latents: tf.cast(values, spec.dtype)}
            )[output]
        return cls(from_seeds, from_latents, latent_dim, probe.shape[1:], parameters, seeded, **told)


def _told(functions):
    """What `Generator` has for generators that are told labels or low-resolution images; {} for any other."""

    def only(name, dtype=np.int64, **inputs):
        (output,) = functions[name](**{key: np.asarray(value, dtype) for key, value in inputs.items()}).values()
        return output.numpy()

    told = {}
    if {"labels", "sample_with_labels"} <= set(functions):
        told["labels"] = lambda seeds: only("labels", seeds=seeds)
        told["sample_with_labels"] = lambda seeds, labels: only("sample_with_labels", seeds=seeds, labels=labels)
    if "upscale" in functions:
        told["upscale"] = lambda images: only("upscale", np.uint8, low_resolution=images)
    return told
