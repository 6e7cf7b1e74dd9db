"""Super-resolution against bicubic resizing: how near upscaled versions of held-out images are to these.

The level is "none" where the generator is nearer than bicubic resizing by PSNR, SSIM and perceptual distance alike,
"severe" where it is by none of them, else "partial". Differences whose interval holds 0 count as none.
"""

import numpy as np

from export.diagnostics.section import section
from export.evaluation.metric import entry
from export.metrics.intervals import mean_interval
from export.metrics.restoration import bicubic, low_resolution, psnr, ssim

_ABOUT = {
    "psnr": ("higher", "Mean peak signal-to-noise ratio in dB against the test images of {} as bytes."),
    "ssim": ("higher", "Mean structural similarity to the test images of {} at most 1."),
    "perceptual_distance": ("lower", "Mean Euclidean distance from the test images of {} between their features."),
}
_NAMES = {"psnr": "PSNR", "ssim": "SSIM", "perceptual_distance": "perceptual distance"}
_OPENING = {
    "none": "Nearer to the test images than bicubic resizing",
    "partial": "Nearer to the test images than bicubic resizing by some measures",
    "severe": "No nearer to the test images than bicubic resizing",
}


def applies(context):
    """Whether the generator makes images of low-resolution ones."""
    return context.generator.upscale is not None


def measure(context):
    """The metrics and the section of a report.

    Args:
        context: `export.evaluation.context.ImageContext` of a generator with `upscale`.

    Returns:
        ({name: metric}, section), in the format of `export.report`.
    """
    found = _values(context)
    metrics, parts, rests_on, better = {}, [], {}, 0
    for name, (of_generator, of_bicubic) in found.items():
        direction, about = _ABOUT[name]
        counts = {"num_samples": len(of_generator), "num_reference": len(of_generator)}
        for suffix, values, what in (
            ("", of_generator, "their low-resolution versions, upscaled,"),
            ("_of_bicubic", of_bicubic, "their low-resolution versions, by bicubic resizing,"),
        ):
            interval = mean_interval(values, of="image's value")
            metrics[f"{name}{suffix}"] = entry(interval, direction, about.format(what), **counts)
        gain = mean_interval(of_generator - of_bicubic, of="image's difference")
        low, high = (gain.value, gain.value) if gain.low is None else (gain.low, gain.high)
        better += low > 0 if direction == "higher" else high < 0
        rests_on[f"{name}_minus_bicubic"] = gain.value
        parts.append(
            f"{_NAMES[name]} {of_generator.mean():.4g}, of bicubic {of_bicubic.mean():.4g} (difference {low:+.3g} to "
            f"{high:+.3g}, {direction} is better)"
        )
    level = {len(found): "none", 0: "severe"}.get(better, "partial")
    return metrics, section(level, _OPENING[level], parts, rests_on)


def _values(context):
    """{name: (of the generator, of bicubic resizing)}, float64 [N] each, of the same test images in the same order."""
    found = {name: ([], []) for name in _ABOUT}
    for originals in context.pixels("test"):
        small, features = low_resolution(originals), context.extractor(originals)[0]
        for side, images in enumerate((context.generator.upscale(small), bicubic(small))):
            found["psnr"][side].append(psnr(images, originals))
            found["ssim"][side].append(ssim(images, originals))
            distances = np.linalg.norm(np.float64(context.extractor(images)[0]) - features, axis=1)
            found["perceptual_distance"][side].append(distances)
    return {name: tuple(np.concatenate(values) for values in sides) for name, sides in found.items()}
