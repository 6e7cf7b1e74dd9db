"""The pretrained models, DATA/METHOD, and the config that each is trained by: what `make zoo` makes.

A model is FILE, or FILE:VARIANT, and nothing else, so that its hyperparameters stand in one place.
"""

RECIPES = {
    "ring/unrolled": "configs/ring.py:minimax+unrolled",
    "ring/mixture": "configs/ring.py:mixture",
    "digits/non_saturating": "configs/digits.py",
    "digits/conditional": "configs/digits.py:conditional",
    **{
        f"fashion_mnist/{variant}": f"configs/fashion_mnist.py:{variant}"
        for variant in ("non_saturating", "wasserstein_gp", "f_divergence", "least_squares", "conditional", "vae")
    },
}
