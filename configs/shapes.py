"""Toy scenes with captions, 32×32 in colour, made by this package: coloured shapes at places (`zoo.datasets.shapes`).

python -m trainers.train --config=configs/shapes.py --workdir=runs/shapes
python -m export.evaluate --workdir=runs/shapes

The default variant is `stacked`, whose report says how many samples show what their captions say.
"""

from configs.base import base_config, set_objective

#: Objective → changes.
VARIANTS = {}


def get_config(objective="stacked"):
    config = base_config("shapes")
    config.train.steps = 5_000
    set_objective(config, objective, VARIANTS)
    return config
