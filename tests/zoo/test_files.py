"""Atomic writing of files."""

import pytest
from etils import epath

from zoo.errors import RequestError
from zoo.files import check_writable, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("stopped_by", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_file_is_there_whole_or_as_it_was(stopped_by, tmp_path, monkeypatch):
    write_whole(tmp_path / "file", b"first")
    assert (tmp_path / "file").read_bytes() == b"first"
    here = type(epath.Path(tmp_path))
    write = here.write_bytes

    def stop_half_way(path, content):
        write(path, content[: len(content) // 2])
        raise stopped_by

    with monkeypatch.context() as patch:
        patch.setattr(here, "write_bytes", stop_half_way)
        with pytest.raises(type(stopped_by)):
            write_whole(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"first" and names(tmp_path) == ["file"]
    write_whole(tmp_path / "file", b"second")
    assert (tmp_path / "file").read_bytes() == b"second" and names(tmp_path) == ["file"]


def test_whether_a_folder_can_be_written_is_asked_of_the_first_that_is_there(tmp_path):
    check_writable(tmp_path / "new" / "folder", "--out")
    assert names(tmp_path) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RequestError, match=f"--out: {tmp_path}/file/folder cannot be written"):
        check_writable(tmp_path / "file" / "folder", "--out")
    assert names(tmp_path) == ["file"]
