"""Metrics of the quality and diversity of samples, and the feature extractors that they use.

======================= ============================================================ ==========
module                  measures                                                     needs
======================= ============================================================ ==========
frechet                 Fréchet distance of two Gaussian fits                        features
kernel                  kernel distance (unbiased polynomial MMD²)                   features
precision_recall        precision, recall, density, coverage; clipped ones           features
vendi                   Vendi score: effective number of different samples           features
copies                  copies of training examples, by nearest distances            features
birthday                support size from near-duplicate pairs                       features
ms_ssim                 MS-SSIM of random pairs                                      images
bins                    number of statistically different bins                       points
parzen                  Parzen-window log-likelihood                                 points
classifier_score        classifier ("Inception") score, class histogram and its KL   logits
classification_accuracy accuracy of a classifier that learnt from samples            features
inversion               imputation and denoising through the generator's range       generator
neural_net_distance     distance seen by a class of critics; generalisation gap      points
toy                     modes found, high-quality share, likelihood, Wasserstein     points
distances               blocked distances and nearest neighbours, for the others     points
intervals               confidence intervals of all of them                          SciPy only
features                named, versioned feature extractors for the others           TensorFlow
======================= ============================================================ ==========

`precision_recall` counts with `balls`, `near_pairs` and `distance_bounds`. `features` chooses a `feature_extractor`:
one of `trained_classifiers` (shipped in `weights/` or trained, with the network of `small_cnn`), `efficientnet_lite0`,
`inception` or `dinov2`. `tfgan` makes TF-GAN importable, the reference implementation in the tests.

Importing a module of this table never imports TensorFlow; `features` imports it when an extractor is built.
"""
