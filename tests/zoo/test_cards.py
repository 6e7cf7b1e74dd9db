import pytest

from zoo.errors import RequestError
from zoo.pretrained import cards

_TOLD = {"signatures": {"sample": {}, "sample_with_labels": {}}, "num_classes": 3, "class_names": ["a", "2", "\u00f6"]}


@pytest.mark.parametrize(
    "card, asked, number",
    [
        (_TOLD, "0", 0),
        (_TOLD, 1, 1),
        (_TOLD, "a", 0),
        (_TOLD, "\u00f6", 2),
        # Class 1 is called 2.
        (_TOLD, "2", 2),
        (_TOLD, "002", 2),
        ({**_TOLD, "class_names": None}, "1", 1),
        ({}, "999", 999),
    ],
)
def test_a_class_is_found_by_its_number_or_its_name(card, asked, number):
    assert cards.class_number(card, asked, "label") == number


_MANY = {**_TOLD, "num_classes": 40, "class_names": [f"breed of dog {k}" for k in range(39)] + ["tabby"]}


@pytest.mark.parametrize(
    "card, asked, message",
    [
        (_TOLD, "3", "'3'; expected a class number, 0 to 2, or a name: a, 2, \u00f6"),
        ({**_TOLD, "class_names": ["a", "b", "9"]}, "9", "'9'; expected a class number, 0 to 2"),
        (_TOLD, 3, "3; expected a class number, 0 to 2"),
        (_TOLD, -1, "-1; expected a class number, 0 to 2"),
        (_TOLD, 1.5, "1.5; expected a class number, 0 to 2"),
        (_TOLD, "-1", "'-1'; expected a class number, 0 to 2"),
        (_TOLD, "", "''; expected a class number, 0 to 2"),
        (_TOLD, "9" * 5000, "9'; expected a class number, 0 to 2"),
        ({**_TOLD, "class_names": None}, "a", "'a'; expected a class number, 0 to 2"),
        (_MANY, "tabbi", "or a name: tabby"),
        (_MANY, "7even", "or one of 40 names"),
        ({**_TOLD, "signatures": {"sample": {}}}, "0", "'0'; the model is told no labels"),
        ({}, "stable", "'stable'; expected a class number, 0 or more; a hint"),
    ],
)
def test_a_class_that_there_is_not_is_refused(card, asked, message):
    with pytest.raises(RequestError) as caught:
        cards.class_number(card, asked, "--label", "; a hint")
    assert str(caught.value).startswith("--label: ") and message in str(caught.value)
