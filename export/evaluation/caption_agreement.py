"""Whether samples show what their captions say, on data whose images can be read exactly (`zoo.datasets.shapes`).

Every sample has the caption that its seed chose. Shape, colour and position are read off the sample and off the
caption.
"""

import functools

import numpy as np

from export.evaluation.metric import Metric, samples_alone
from export.metrics.intervals import share_interval
from zoo.datasets.shapes import ATTRIBUTES, ShapesDataset, attributes_in_captions, attributes_in_images

_BATCH = 256
_RIGHT = "they are read rightly off all images of the data"


def _applies(context):
    return context.generator.captions is not None and isinstance(context.data, ShapesDataset)


def _agrees(context, images):
    """{attribute: bool [N], whether each sample shows what its caption says}."""
    found = {attribute: [] for attribute in ATTRIBUTES}
    for start in range(0, context.num_samples, _BATCH):
        seeds = context.seeds[start : start + _BATCH]
        asked = attributes_in_captions(context.generator.captions(seeds))
        shown = attributes_in_images(context.generator.sample(seeds))
        for attribute, agrees in found.items():
            agrees.append(asked[attribute] == shown[attribute])
    return {attribute: np.concatenate(agrees) for attribute, agrees in found.items()}


def _interval(attributes, context, images):
    agrees = context.once(_agrees, images)
    all_of_them = np.all([agrees[attribute] for attribute in attributes], axis=0)
    return share_interval(all_of_them.mean(), len(all_of_them))


def _metric(name, attributes, what):
    chance = np.prod([1.0 / len(ATTRIBUTES[attribute]) for attribute in attributes])
    interval = functools.partial(_interval, attributes)
    return Metric(
        name,
        "higher",
        f"Share of samples that show the {what} that their caption says, by chance {chance:.2g}; {_RIGHT}.",
        value=lambda context, images: interval(context, images).value,
        interval=interval,
        needs=_applies,
        counts=samples_alone,
        of_real=False,
    )


METRICS = (
    _metric("caption_agreement", tuple(ATTRIBUTES), "shape, colour and position"),
    *(_metric(f"caption_agreement_{attribute}", (attribute,), attribute) for attribute in ATTRIBUTES),
)
