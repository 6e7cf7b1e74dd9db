"""Your own images: a folder of files, with or without class folders, cropped and resized to 32×32 colour.

python -m trainers.train --config=configs/folder.py --config.data.source=folder:DIR --workdir=runs/mine
"""

from configs.base import base_config
from configs.fashion_mnist import VARIANTS


def get_config(objective="non_saturating"):
    config = base_config("folder:images")
    config.data.image_size = 32
    config.generator.latent_dim = 100
    config.train.steps = 20_000
    config.objective = objective
    for key, value in VARIANTS.get(objective, {}).items():
        config[key] = value
    return config
