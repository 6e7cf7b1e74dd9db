"""Reads the model card that lies beside an exported generator; `export.model_card` writes it. Free of TensorFlow."""

import difflib
import json
import re

from etils import epath

from zoo.errors import RequestError
from zoo.pretrained.networks import EXTRA

#: Most names of classes that a message lists; of more, those like the one that was asked for.
_MOST_NAMES = 20


def read(version):
    """The model card of a SavedModel that tf-gan-zoo wrote, a dict; {} for any other.

    Args:
        version: the directory of a SavedModel.
    """
    card = epath.Path(version) / EXTRA / "model_card.json"
    try:
        return json.loads(card.read_text()) if card.exists() else {}
    except ValueError:
        return {}


def class_number(card, asked, where, hint=""):
    """The class that a person asks for by its number, or by its name in a model card.

    Args:
        card: dict, of `read`. One that does not tell the number of classes leaves the check to the model.
        asked: int or str. Digits are a number, whatever the classes are called.
        where: name of the request in messages, such as "--label".
        hint: what a message adds where the card tells nothing.

    Raises:
        RequestError: there is no such class, or the model is told no labels.
    """
    if "signatures" in card and "sample_with_labels" not in card["signatures"]:
        raise RequestError(f"{where}: {asked!r}; the model is told no labels")
    names, count = card.get("class_names") or [], card.get("num_classes")
    if re.fullmatch("[0-9]{1,18}", str(asked)):
        if count is None or int(asked) < count:
            return int(asked)
    elif asked in names:
        return names.index(asked)
    expected = f"a class number, 0 to {count - 1}" if count else f"a class number, 0 or more{hint}"
    if names:
        listed = names if len(names) <= _MOST_NAMES else difflib.get_close_matches(str(asked), names, 5, 0.5)
        expected += f", or a name: {', '.join(listed)}" if listed else f", or one of {len(names)} names"
    raise RequestError(f"{where}: {asked!r}; expected {expected}")
