import pytest

import configs.digits
from export.evaluation import subject
from export.evaluation.evaluator import evaluate
from export.saved_model import export_run
from trainers import build, training
from trainers import config as config_checks
from zoo.errors import RequestError


def test_data_is_prepared_as_the_model_card_says():
    card = {
        "data_shape": [16, 16, 3],
        "config": {"data": {"source": "digits", "on_corrupt": "error", "data_dir": None}},
    }
    assert subject._open_data(None, None, card).data_shape == (16, 16, 3)
    assert subject._open_data("digits", 8, card).data_shape == (8, 8, 3)
    assert subject._open_data("digits", None, {}).data_shape == (8, 8, 1)
    with pytest.raises(RequestError, match="--data: missing"):
        subject._open_data(None, None, {})


def test_a_saved_model_that_is_told_labels_gives_the_numbers_of_its_workdir(tmp_path, extractor):
    config = configs.digits.get_config("conditional")
    config.generator.base_filters = config.critic.base_filters = 2
    config.train.update(steps=1, steps_per_execution=1, decay_from=1.0)
    training.train(build.build(config, config_checks.check(config), workdir=tmp_path / "run"))
    subjects = subject.of_workdir(tmp_path / "run"), subject.of_saved_model(export_run(tmp_path / "run", tmp_path))
    run, saved = (
        evaluate(each.generator, each.data, features=extractor, num_samples=100, untrained=each.untrained)
        for each in subjects
    )
    assert run.metrics == saved.metrics and run.classes == saved.classes and run.notes == saved.notes
    assert "label_agreement" in run.metrics and "untrained" in run.metrics["frechet_distance"]
    assert run.samples_by_class.keys() == saved.samples_by_class.keys()
    for name, images in run.samples_by_class.items():
        assert (images == saved.samples_by_class[name]).all()
    assert all(each.described["told_labels"] is True for each in subjects)
