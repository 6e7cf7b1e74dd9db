"""Whether samples are of the classes that they were made for: a metric, and the same for each class.

A generator that is told labels has a label for each sample, which its seed chose. What a sample is `seen` as is a
function of (context, examples) → int [N]: the class that a classifier takes it for, or the mode that it is nearest to.
"""

from export.evaluation.metric import Metric, samples_alone
from export.metrics.intervals import share_interval

#: Where fewer of a class' samples are seen as of it, a note says so.
_FEW = 0.5
_MOST_NAMED = 4


def told_labels(context):
    """Whether the generator is told labels."""
    return context.generator.labels is not None


def metric(about, seen, needs):
    """The row of a table of metrics.

    Args:
        about: as of `Metric`.
        seen: see this module.
        needs: function of the context → whether there are classes or modes to see.
    """

    def agreement(context, examples):
        return _agreement(context, seen, examples)

    return Metric(
        "label_agreement",
        "higher",
        about,
        value=lambda context, examples: agreement(context, examples).value,
        interval=agreement,
        needs=lambda context: told_labels(context) and needs(context),
        counts=samples_alone,
    )


def of_class(context, seen, label):
    """What the report's "classes" tell of one class beside its share: agreement, agreement_interval, real_agreement."""
    samples, real = (_agreement(context, seen, examples, label) for examples in (context.samples, context.training))
    return {
        "agreement": samples and samples.value,
        "agreement_interval": samples and [samples.low, samples.high],
        "real_agreement": real and real.value,
    }


def notes(classes, what):
    """What a reader should know of classes whose samples are mostly seen as of others: a list of sentences.

    Args:
        classes: the report's "classes", or None.
        what: "class" or "mode".
    """
    poor = [entry for entry in classes or () if entry.get("agreement") is not None and entry["agreement"] < _FEW]
    if not poor:
        return []
    poor.sort(key=lambda entry: entry["agreement"])
    named = ", ".join(f"{entry['name']} ({entry['agreement']:.0%})" for entry in poor[:_MOST_NAMED])
    more = ", …" if len(poor) > _MOST_NAMED else "."
    many = {"class": "classes", "mode": "modes"}[what]
    return [
        f"In {len(poor)} of {len(classes)} {many} fewer than half of the samples agree with their label: {named}{more}"
    ]


def _agreement(context, seen, examples, label=None):
    """Share of examples that are seen as their label says, an `Interval`; of one label if given, None without any."""
    labels = context.labels(examples)
    agrees = seen(context, examples) == labels
    if label is not None:
        agrees = agrees[labels == label]
    return share_interval(agrees.mean(), len(agrees)) if len(agrees) else None
