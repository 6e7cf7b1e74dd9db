import pytest

from export.evaluation import subject
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
