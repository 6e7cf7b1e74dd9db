"""Evaluates generators: what is measured, and on what.

=============== ============================================================================================
module          holds
=============== ============================================================================================
subject         what is evaluated: the generator of a workdir or of a SavedModel, its data, what is known of it
evaluator       `evaluate`: a generator and held-out data in, an `Evaluation` out
context         samples, held-out and training examples and their features, each computed once
metric          `Metric`, a row of the next two modules, and its entry in a report
image_metrics   the metrics of images, a row each
point_metrics   the metrics of points whose density is known, a row each
label_agreement whether samples are of the class that they were made for
class_balance   share of each class or mode among the samples, and its samples' agreement
result          `Evaluation`, what all of it gives
=============== ============================================================================================

The estimators themselves are pure functions in `export.metrics`; `export.diagnostics` says how the generator fails;
`export.report` writes the result down.
"""
