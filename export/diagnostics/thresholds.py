"""Where the diagnostics draw their lines, and why there.

They are conventions, not tests of significance; the numbers stand beside the words, so that a reader can draw others.
`tests/export/diagnostics/test_calibration.py` has the cases that they must tell apart.
"""

# Vanishing gradients.
#: The critic's probability of ranking a real example above a sample, from which on it tells them apart.
SEPARATED = 0.95
#: The generator's gradient as a share of that of `non_saturating` at the same critic, exp(score) under `minimax`: a
#: hundredth is a logit of -4.6 for the samples, a thousandth one of -6.9.
VANISHING, VANISHED = 0.01, 0.001
#: Keras' Adam adds this to the root of a weight's mean squared gradient: below, its steps shrink with the gradient.
ADAM_EPSILON = 1e-7

# Non-convergence.
#: Largest residual of a Ritz value as a part of the largest magnitude: far below what growth is judged by.
RITZ = 0.01
#: Eigenvalues below this part of the spectral radius are left out of the rotation: with more weights than the data
#: determines, most are nearly 0, and the ratio of two such numbers says nothing.
LEADING = 0.05
#: Growth as a part of the spectral radius. At a checkpoint that is no equilibrium some deviation grows, as at a saddle
#: of any loss: a fifth was seen in runs that go well.
GROWTH = 0.5
#: The critic's part of an eigenvector's squared norm, below which the eigenvalue is of the generator's own curvature.
#: Runs that go well have growing ones of 0.02 to 0.1 (StackGAN on the toy scenes) and 0.08 to 0.17 (progressive growing
#: on CIFAR-10); where players turn around each other each has half.
OF_GENERATOR = 0.25
#: |imaginary| / |real|. At a rate h below 2 |real| / (real² + imaginary²) plain descent still converges, a fifth of
#: what real parts alone allow at 2.
ROTATION = 2.0
#: How many times its best value before a distance to the data has, twice in a row, where a run leads away from it.
WORSE = 2.0
#: How many times its value on either side the path angle's cosine has at a bump.
BUMP = 1.5

# Generalisation.
#: Lower end of the estimated share of copies: partial, severe. A few exact duplicates are in most data sets.
COPIED = (0.1, 0.5)
#: Length of that share's interval, above which the estimate says nothing.
WIDE = 0.5
#: Lower end of r_v: partial, severe. 0.6 is where Karras et al. begin to hold a critic back by augmentation.
KNOWN = (0.6, 0.9)
#: The critic's probability of ranking a training example above a sample, below which r_v is a ratio of two noises.
SEPARATES = 0.6

# Mode collapse.
#: A class or mode with less than this part of its due share counts as missing, or as thin.
MISSING, THIN = 0.1, 0.5
#: A class or mode with more than this many times its due share counts as too frequent.
SWOLLEN = 1.5
#: Standard deviations by which a thin or too frequent class must differ: of ten classes one does in a hundred reports.
NO_CHANCE = 3.0
#: Severe where as many classes or modes are missing, or as much of the data's mass lacks in them: a classifier sees
#: some of each class in anything, so that of 3 in 10 classes of Fashion-MNIST only 4 of the other 7 count as missing.
HALF, LACKING = 0.5, 0.35
#: Recall and coverage as a part of what training images reach: partial where either is below the first, severe where
#: both are below the second; coverage alone falls as well where samples are imperfect.
REACHED = (0.7, 0.2)
#: Precision as a part of what training images reach, below which the samples are unlike the data.
FAR = 0.3
#: Density likewise, below which they lie beside the data: a DCGAN of 300 steps on Fashion-MNIST has a precision of 0.8
#: times that of training images, but a density of 0.5 times. Collapse onto a part of the data leaves it near 1.
BESIDE = 0.7
#: Sharpness in proportion to the data's: below the first blurred, above the second noisy.
SHARPNESS = (0.5, 2.0)
#: Spread of samples as a part of the data's, below which they are all the same.
SAME = 0.2
#: Median distance of a sample to the nearest other, as a part of the mean distance of two, in proportion to the data's.
REPEATED = 0.3
#: Share of points on modes, below which they are blurred; what is missing may not have been learnt yet.
BLURRED_POINTS = 0.2
#: Wasserstein distance as a multiple of that of two sets of the data's own points: partial, severe.
TIMES_THE_DISTANCE = (3, 10)
