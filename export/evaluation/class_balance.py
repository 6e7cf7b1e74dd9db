"""Share of each class, or of each mode, among the samples, and how far labels are followed: a report's "classes"."""

from export.evaluation import label_agreement
from export.evaluation.image_metrics import histogram, predicted
from export.evaluation.point_metrics import mode_counts, nearest
from export.metrics.intervals import share_interval


def class_shares(context):
    """Each class' share of the images, as the extractor's classifier sees them.

    Args:
        context: `export.evaluation.context.ImageContext` whose extractor knows the data's classes.

    Returns:
        List of dicts, as in the format of `export.report`; the reference is its view of the test images.
    """
    classes, reference = context.samples.classes, histogram(context, context.held_out)
    shares = [
        _entry(name, share_interval((classes == label).mean(), len(classes)), float(reference[label]))
        for label, name in enumerate(context.class_names)
    ]
    return _with_agreement(context, predicted, shares)


def mode_shares(context):
    """Each mode's share of the high-quality samples.

    Args:
        context: `export.evaluation.context.PointContext` of data with modes.

    Returns:
        List of dicts, as in the format of `export.report`; the reference is the same for all modes.
    """
    modes = context.once(mode_counts, context.samples)
    on_modes = modes.nearest[modes.high_quality]
    shares = [
        _entry(
            str(mode),
            share_interval((on_modes == mode).mean(), len(on_modes)) if len(on_modes) else None,
            1.0 / modes.num_modes,
        )
        for mode in range(modes.num_modes)
    ]
    return _with_agreement(context, nearest, shares)


def _with_agreement(context, seen, entries):
    """The entries, with what the samples of each class agree where the generator is told labels."""
    if not label_agreement.told_labels(context):
        return entries
    return [entry | label_agreement.of_class(context, seen, label) for label, entry in enumerate(entries)]


def _entry(name, share, reference):
    """One class; `share` is an `Interval`, or None where there are no samples to share."""
    return {
        "name": name,
        "share": share.value if share else 0.0,
        "interval": [share.low, share.high] if share else None,
        "reference_share": reference,
    }
