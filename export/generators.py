"""Generators of SavedModels, this package's or others', loaded for sampling."""

import dataclasses
import os
from collections.abc import Callable

import numpy as np

from export.image_values import reading_of
from export.signatures import signatures
from zoo.errors import RequestError
from zoo.pretrained import find_saved_model

#: Samples that the range of a generator's images is told by.
_PROBED = 16


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
        captions: seeds int64 [N] → list of str, the captions that `sample` chooses; None for a generator without any.
        sample_with_captions: seeds int64 [N], N captions → as `sample`; None for a generator without captions.
        tensors: latents, a float32 tensor [N, z] → what `generate` gives, a tensor with gradients; None without any.
        upscale: images uint8 [N, h, w, C] → NumPy uint8 [N, 4h, 4w, C]; None for a generator that takes no images.
        notes: tuple of str, what a reader of a report should know of how the generator's output was read.
        available: how many samples there are; None where as many as wanted.
    """

    sample: Callable
    generate: Callable
    latent_dim: int
    data_shape: tuple
    parameters: int
    seeded: bool = True
    labels: Callable | None = None
    sample_with_labels: Callable | None = None
    captions: Callable | None = None
    sample_with_captions: Callable | None = None
    upscale: Callable | None = None
    notes: tuple = ()
    available: int | None = None
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
    def load(cls, path, where="--saved_model", signature=None):
        """The generator of a SavedModel: this package's, or any with a signature from latents to examples.

        Without a ``sample`` signature uint8 images are taken to be pixels, float images to be in [-1, 1], or in [0, 1]
        or [0, 255] where no value of sixteen samples is below 0; images [N, C, H, W] are transposed. `notes` tells what
        was found. Latents may have further dimensions of 1, and their number may be fixed.

        Args:
            path: directory of a version or of a model, of which the newest version is taken.
            where: name of the path in error messages.
            signature: name of the signature; ``serving_default`` if None, or else the only one that takes latents.

        Raises:
            RequestError: there is no SavedModel, it is damaged, or its signature does not map float latents [N, z] to
                images [N, H, W, 1 or 3] or points [N, d] that are finite and in one of these ranges.
        """
        path = find_saved_model(path, where)
        import tensorflow as tf

        try:
            model = tf.saved_model.load(os.fspath(path))
        except (OSError, ValueError, LookupError, tf.errors.OpError) as error:
            raise RequestError(f"{where}: {path} cannot be loaded ({str(error).splitlines()[0]})") from error
        name = _chosen(model.signatures, signature, f"{where}: {path}")
        generate = model.signatures[name]
        inputs, outputs = generate.structured_input_signature[1], generate.structured_outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise RequestError(
                f"{where}: {path}: {name} takes {', '.join(inputs)} and gives {', '.join(outputs)}; "
                "expected latents alone, and images or points alone"
            )
        ((latents, spec),), (output,) = inputs.items(), outputs
        if not _takes_latents(generate):
            raise RequestError(
                f"{where}: {path}: {name} takes {spec.dtype.name} {spec.shape}; expected float latents [N, z]"
            )
        fixed, latent_dim = spec.shape[0], int(np.prod(spec.shape[1:]))

        def as_given(values):
            values = tf.reshape(tf.cast(values, spec.dtype), [-1, *spec.shape[1:]])
            if fixed is None:
                return generate(**{latents: values})[output].numpy()
            # As many calls as it takes, the last one filled up.
            calls = -(-len(values) // fixed)
            filled = np.resize(values, [calls * fixed, *spec.shape[1:]])
            parts = [generate(**{latents: tf.constant(part)})[output].numpy() for part in np.split(filled, calls)]
            return np.concatenate(parts)[: len(values)]

        probe = as_given(np.zeros([1, latent_dim], np.float32))
        transposed = probe.ndim == 4 and probe.shape[-1] not in (1, 3) and probe.shape[1] in (1, 3)
        if not transposed and (probe.ndim not in (2, 4) or (probe.ndim == 4 and probe.shape[-1] not in (1, 3))):
            raise RequestError(
                f"{where}: {path}: {name} gives {probe.dtype} {list(probe.shape)}; "
                "expected images [N, H, W, 1 or 3] or points [N, d]"
            )

        def from_latents(values):
            examples = as_given(values)
            return examples.transpose(0, 2, 3, 1) if transposed else examples

        parameters = sum(int(np.prod(variable.shape)) for variable in generate.variables)
        shape = tuple(probe.shape[axis] for axis in (2, 3, 1)) if transposed else probe.shape[1:]
        if "sample" in model.signatures and signature is None:
            sample = model.signatures["sample"]
            (drawn,) = sample.structured_outputs

            def from_seeds(seeds):
                return sample(seeds=tf.constant(seeds, tf.int64))[drawn].numpy()

            told = _told(model.signatures)
            if np.issubdtype(probe.dtype, np.floating):
                # Of the model, which this keeps alive: traced into another function, a signature does not by itself.
                told["tensors"] = lambda values: model.signatures[name](**{latents: tf.cast(values, spec.dtype)})[
                    output
                ]
            return cls(from_seeds, from_latents, latent_dim, shape, parameters, **told)

        from zoo.noise import Noise

        def of_seeds(seeds):
            return from_latents(Noise.of_seeds(seeds).latents(latent_dim))

        notes = [f"Sampled by the signature {name}."] if name != "serving_default" else []
        notes += ["Its images are [N, C, H, W], and were transposed."] if transposed else []
        if probe.ndim == 2:
            return cls(of_seeds, from_latents, latent_dim, shape, parameters, False, notes=tuple(notes))
        drawn = of_seeds(range(_PROBED))
        if not np.isfinite(np.asarray(drawn, np.float64)).all():
            raise RequestError(f"{where}: {path}: the generator makes values that are not finite")
        span = drawn.min(), drawn.max()
        reading = reading_of(drawn.dtype, *span, f"{where}: {path}: {name}", "Its images", slack=1.0)
        notes += [reading.note] if reading.note else []
        return cls(
            lambda seeds: reading.to_bytes(of_seeds(seeds)),
            from_latents,
            latent_dim,
            shape,
            parameters,
            False,
            notes=tuple(notes),
        )


def _chosen(signatures, asked, where):
    """The name of the signature to sample by."""
    names = ", ".join(signatures) or "none"
    if asked is not None:
        if asked not in signatures:
            raise RequestError(f"--signature: {asked!r}; {where} has: {names}")
        return asked
    if "serving_default" in signatures:
        return "serving_default"
    fitting = [name for name, function in signatures.items() if _takes_latents(function)]
    if len(fitting) == 1:
        return fitting[0]
    raise RequestError(
        f"{where} has no signature serving_default (it has: {names}); "
        f"--signature=NAME names the one that makes samples of latents"
    )


def _takes_latents(function):
    """Whether a signature has one input that can be latents: floats [N, z], further dimensions being 1."""
    inputs = list(function.structured_input_signature[1].values())
    if len(inputs) != 1 or not inputs[0].dtype.is_floating or not (inputs[0].shape.rank or 0) >= 2:
        return False
    sizes = inputs[0].shape[1:]
    return None not in sizes and sum(size != 1 for size in sizes) <= 1


def _told(functions):
    """What `Generator` has for generators that are told labels, captions or low-resolution images; {} for others."""
    import tensorflow as tf

    def only(name, **inputs):
        dtypes = {"captions": tf.string, "low_resolution": tf.uint8}
        given = {key: tf.constant(value, dtypes.get(key, tf.int64)) for key, value in inputs.items()}
        (output,) = functions[name](**given).values()
        return output.numpy()

    told = {}
    if {"labels", "sample_with_labels"} <= set(functions):
        told["labels"] = lambda seeds: only("labels", seeds=seeds)
        told["sample_with_labels"] = lambda seeds, labels: only("sample_with_labels", seeds=seeds, labels=labels)
    if {"captions", "sample_with_captions"} <= set(functions):
        told["captions"] = lambda seeds: [text.decode() for text in only("captions", seeds=seeds)]
        told["sample_with_captions"] = lambda seeds, captions: only(
            "sample_with_captions", seeds=seeds, captions=captions
        )
    if "upscale" in functions:
        told["upscale"] = lambda images: only("upscale", low_resolution=images)
    return told
