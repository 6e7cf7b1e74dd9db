"""docs/tour.ipynb: the outputs that it is committed with, and that it runs in an empty folder and shows them again."""

import base64
import io
import pathlib
import re

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

PATH = pathlib.Path(__file__).resolve().parents[1] / "docs" / "tour.ipynb"
#: The cells whose pictures depend on training: shorter here, and not the same on other processors.
AFTER_TRAINING = {"trained", "exported", "ask"}


def code_cells(notebook):
    return {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}


def text(cell):
    """What a cell prints."""
    return "".join(output.get("text", "") for output in cell.outputs)


def picture(cell):
    """The picture that a cell shows, int [H, W]; None if it shows none."""
    found = [output.data["image/png"] for output in cell.outputs if "image/png" in output.get("data", {})]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(found[0]))), int) if found else None


@pytest.fixture(scope="module")
def committed():
    return code_cells(nbformat.read(PATH, as_version=4))


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The cells of a run with 20 steps of training."""
    notebook = nbformat.read(PATH, as_version=4)
    train = code_cells(notebook)["train"]
    train.source, edits = re.subn(r"steps_per_epoch=\d+", "steps_per_epoch=20", train.source)
    train.source, more = re.subn(r"steps_per_execution=\d+", "steps_per_execution=1", train.source)
    assert (edits, more) == (1, 1)
    folder = tmp_path_factory.mktemp("tour")
    resources = {"metadata": {"path": folder}}
    NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    assert {path.name for path in folder.iterdir()} == {"models", "server.log"}
    return code_cells(notebook)


def test_the_committed_outputs_are_of_one_run_without_noise(committed):
    cells = list(committed.values())
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} == {"stream", "execute_result"}
    assert {output.get("name", "stdout") for output in outputs} == {"stdout"}
    assert {kind for output in outputs for kind in output.get("data", {})} == {"image/png", "text/plain"}
    assert not re.search(r"(?<![\w.])/\w|warning|tensorflow", "".join(map(text, cells)), re.IGNORECASE)
    assert PATH.stat().st_size < 400_000


def test_a_run_shows_what_was_committed(committed, executed):
    for name, cell in executed.items():
        assert text(cell) == text(committed[name]), name
        if name not in AFTER_TRAINING and picture(cell) is not None:
            np.testing.assert_allclose(picture(cell), picture(committed[name]), atol=1, err_msg=name)


def test_the_served_images_are_those_of_the_exported_model(executed):
    assert "equal to the exported model's: True" in text(executed["ask"])
    np.testing.assert_array_equal(picture(executed["ask"]), picture(executed["exported"]))
    assert picture(executed["ask"]).std() > 0
