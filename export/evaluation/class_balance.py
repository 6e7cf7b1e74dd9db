"""Share of each class, or of each mode, among the samples: a report's "classes"."""

from export.evaluation.image_metrics import histogram
from export.evaluation.point_metrics import mode_counts
from export.metrics.intervals import share_interval


def class_shares(context):
    """Each class' share of the images, as the extractor's classifier sees them.

    Args:
        context: `export.evaluation.context.ImageContext` whose extractor knows the data's classes.

    Returns:
        List of dicts, as in the format of `export.report`; the reference is its view of the test images.
    """
    predicted, reference = context.samples.classes, histogram(context, context.held_out)
    extractor = context.extractor
    names = context.data.class_names or extractor.class_names or tuple(map(str, range(extractor.num_classes)))
    return [
        _entry(str(name), share_interval((predicted == label).mean(), len(predicted)), float(reference[label]))
        for label, name in enumerate(names)
    ]


def mode_shares(context):
    """Each mode's share of the high-quality samples.

    Args:
        context: `export.evaluation.context.PointContext` of data with modes.

    Returns:
        List of dicts, as in the format of `export.report`; the reference is the same for all modes.
    """
    modes = context.once(mode_counts, context.samples)
    on_modes = modes.nearest[modes.high_quality]
    return [
        _entry(
            str(mode),
            share_interval((on_modes == mode).mean(), len(on_modes)) if len(on_modes) else None,
            1.0 / modes.num_modes,
        )
        for mode in range(modes.num_modes)
    ]


def _entry(name, share, reference):
    """One class; `share` is an `Interval`, or None where there are no samples to share."""
    return {
        "name": name,
        "share": share.value if share else 0.0,
        "interval": [share.low, share.high] if share else None,
        "reference_share": reference,
    }
