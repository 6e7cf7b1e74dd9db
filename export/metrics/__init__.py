"""Metrics of the quality and diversity of samples, and the feature extractors that they use.

==================== ============================================================ ==========
module               measures                                                     needs
==================== ============================================================ ==========
frechet              Fréchet distance of two Gaussian fits                        features
kernel               kernel distance (unbiased polynomial MMD²)                   features
precision_recall     precision, recall, density, coverage                         features
classifier_score     classifier ("Inception") score, class histogram and its KL   logits
neural_net_distance  distance seen by a class of critics; generalisation gap       points
toy                  modes found, high-quality share, likelihood, Wasserstein     points
intervals            confidence intervals of all of them                          SciPy only
features             named, versioned feature extractors for the others           TensorFlow
==================== ============================================================ ==========

`features` uses `small_cnn` (the network of the classifiers that are shipped, or trained by `train_classifier`),
`inception` and `weights/`. `tfgan` makes TF-GAN importable, the reference implementation in the tests.

Importing a module of this table never imports TensorFlow; `features` imports it when an extractor is built.
"""
