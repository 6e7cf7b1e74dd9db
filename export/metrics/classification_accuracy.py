"""Classification accuracy score: of a classifier that learnt from labelled samples, on real examples.

Ravuri & Vinyals 2019, "Classification Accuracy Score for Conditional Generative Models": train on samples of a
generator that is told labels, test on real images; compare with the same classifier trained on real images. Theirs is a
ResNet-50 on pixels. Here it is a multinomial logistic regression on features, which costs seconds: numbers compare with
its own on real examples, not with the paper's.
"""

from __future__ import annotations

import numpy as np

#: Name of the classifier in a report.
CLASSIFIER = "multinomial logistic regression"
_ITERATIONS = 300


def right_after_training(features, labels, test_features, test_labels) -> np.ndarray:
    """Whether a classifier that learnt from examples is right on test examples.

    scikit-learn's logistic regression with its default penalty (C = 1), on features standardised by the training
    examples.

    Args:
      features: [n, d].
      labels: int [n], the classes that the examples were made for.
      test_features: [t, d].
      test_labels: int [t].

    Returns:
      bool [t].
    """
    import sklearn.linear_model  # Imported here because it takes a second, which would slow down --help.
    import threadpoolctl

    features, labels = np.asarray(features, np.float64), np.asarray(labels)
    if labels.min() == labels.max():
        return np.asarray(test_labels) == labels[0]
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0.0, scale, 1.0)
    classifier = sklearn.linear_model.LogisticRegression(max_iter=_ITERATIONS)
    # Thin matrix products gain nothing from threads, which on a busy machine wait for one another.
    with threadpoolctl.threadpool_limits(1):
        classifier.fit((features - mean) / scale, labels)
    return classifier.predict((np.asarray(test_features, np.float64) - mean) / scale) == np.asarray(test_labels)
