"""Diagnoses a generator: how it fails, by the rows of one table."""

import contextlib
import dataclasses
from collections.abc import Callable

from export.diagnostics import convergence, generalization, mode_collapse, vanishing_gradients
from export.diagnostics.game import NotMeasured


@dataclasses.dataclass(frozen=True)
class Found:
    """What a diagnostic looks at.

    Attributes:
        context: `export.evaluation.context.Context`, with the run where there is one.
        metrics: {name: metric} in the format of `export.report`.
        classes: the report's "classes", or None.
        quick: whether a diagnostic that takes long is to take fewer steps.
    """

    context: object
    metrics: dict
    classes: list | None
    quick: bool = False


#: Key of the report's section → function of `Found` → the section. A function raises `NotMeasured` where it does not
#: apply.
DIAGNOSTICS: dict[str, Callable] = {
    "mode_collapse": mode_collapse.diagnose,
    "vanishing_gradients": vanishing_gradients.diagnose,
    "non_convergence": convergence.diagnose,
    "generalization": generalization.diagnose,
}


def diagnose(found):
    """All diagnostics that apply.

    Args:
        found: `Found`.

    Returns:
        ({key: section}, {key: why it was not measured}).
    """
    sections, absent = {}, {}
    with without_remapper():
        for key, of_one in DIAGNOSTICS.items():
            try:
                sections[key] = of_one(found)
            except NotMeasured as reason:
                absent[key] = str(reason)
    return sections, absent


@contextlib.contextmanager
def without_remapper():
    """Without TensorFlow's fusion of operations, which prints an error at two gradients of one leaky ReLU."""
    import tensorflow as tf

    former = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"remapping": False})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({"remapping": former.get("remapping", True)})
