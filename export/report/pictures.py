"""The pictures of a report: samples beside real examples, and the diagrams of `figures`."""

import numpy as np

from export.report import figures
from zoo import grids


def draw(evaluation, rows):
    """{file name: encoded PNG}, in the order of the page."""
    samples, reference, by_class = evaluation.samples, evaluation.reference, evaluation.samples_by_class
    names = labels = None
    if by_class:
        names, samples = list(by_class), np.concatenate(list(by_class.values()))
        labels = np.repeat(np.arange(len(names)), [len(examples) for examples in by_class.values()])
    if samples.ndim == 4:
        pictures = {"samples": grids.image_grid(samples, names=names), "real": grids.image_grid(reference)}
    else:
        pictures = {"samples": grids.point_plot(samples, reference, labels=labels)}
    pictures = {name: grids.png_bytes(picture) for name, picture in pictures.items()}
    if evaluation.classes:
        pictures["classes"] = figures.class_histogram(evaluation.classes, evaluation.classes_of)
        if "agreement" in evaluation.classes[0]:
            pictures["agreement"] = figures.label_agreement(evaluation.classes, evaluation.classes_of)
    if evaluation.traversals:
        rows_of = evaluation.traversals
        pictures["traversals"] = grids.png_bytes(
            grids.image_grid(np.concatenate(list(rows_of.values())), names=list(rows_of))
        )
    if evaluation.interpolations is not None:
        images = np.concatenate(evaluation.interpolations)
        pictures["interpolations"] = grids.png_bytes(
            grids.image_grid(images, columns=len(evaluation.interpolations[0]))
        )
    pictures |= figures.of_sections(evaluation.sections)
    for key, found in (evaluation.pairs or {}).items():
        shown = [pair.examples for pair in found if pair.examples is not None]
        if shown:
            # The samples in the first row, what each is near to under it in the second.
            pictures[key] = grids.png_bytes(grids.image_grid(np.concatenate(np.stack(shown, axis=1)), len(shown)))
    if curves := figures.loss_curves(rows):
        pictures["losses"] = curves
    return pictures
