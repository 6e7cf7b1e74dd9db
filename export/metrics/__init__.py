"""How good and how diverse samples are, and the features that the answers rest on.

==================== ============================================================ ==========
module               measures                                                     needs
==================== ============================================================ ==========
frechet              Fréchet distance of two Gaussian fits                        features
kernel               kernel distance (unbiased polynomial MMD²)                   features
precision_recall     precision, recall, density, coverage                         features
classifier_score     classifier ("Inception") score, class histogram and its KL   logits
neural_net_distance  what a class of critics tells apart; generalisation gap       points
toy                  modes found, high-quality share, likelihood, Wasserstein     points
intervals            the confidence interval beside any of them                   SciPy only
features             nothing: named, versioned feature extractors for the others  TensorFlow
==================== ============================================================ ==========

Behind `features`: `small_cnn` (the network that is shipped or trained on the spot, by `train_classifier`), `inception`,
and `weights/`. `tfgan` makes TF-GAN importable, whose own functions are the oracle of the tests.

Importing a module of this table never imports TensorFlow; `features` does so when an extractor is built.
"""
