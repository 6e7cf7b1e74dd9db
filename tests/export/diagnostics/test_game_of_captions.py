"""A run's game has the conditions that its networks take."""

import numpy as np

import configs.shapes
from export.diagnostics.game import Game
from trainers import build
from trainers import config as config_checks


def test_examples_come_with_their_captions():
    config = configs.shapes.get_config()
    for player in ("generator", "critic"):
        config[player].update(base_filters=2, text_units=2)
    run = build.build(config, config_checks.check(config))
    (batch,) = Game(run, 4).batches("test", 1, seed=0)
    generator = run.model.generator
    texts = [text.decode() for text in generator.tokenizer.texts(batch.conditions["caption"]).numpy()]
    held_out = {text for each in run.data.captions.texts("test") for text in each}
    assert len(texts) == 4 and set(texts) <= held_out
    assert np.isfinite(run.model.critic(batch.x, **batch.conditions)).all()
