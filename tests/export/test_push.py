"""Pushing to the Hugging Face Hub, against a stand-in for it."""

import os
import pathlib
import shutil
import socket
import subprocess
import sys

import hub_server
import pytest
import yaml
from huggingface_hub import constants

from export import model_card, push
from export.saved_model import export_saved_model
from trainers.program import RunFailed
from zoo import pretrained
from zoo.errors import RequestError
from zoo.pretrained import index


@pytest.fixture
def hub(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", hub_server.Hub.token)
    # The stand-in has no storage of Xet's protocol, as servers of the Hub's API other than the Hub.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    with hub_server.running() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        yield hub


@pytest.fixture(scope="module")
def licensed(point_sampler, tmp_path_factory):
    """Directory of a version whose weights have a licence."""
    version = export_saved_model(point_sampler, 4, (2,), tmp_path_factory.mktemp("models"), "points")
    model_card.rewrite(version, "MIT")
    return version


def on_disk(version):
    version = pathlib.Path(version)
    files = {path.relative_to(version).as_posix(): path.read_bytes() for path in version.rglob("*") if path.is_file()}
    return files | {"README.md": files["assets.extra/model_card.md"]}


def test_the_repository_holds_the_files_of_the_version_and_the_card_as_its_page(hub, licensed):
    assert push.push("me/points", licensed, private=True) == f"{hub.url}/me/points"
    held = hub.repos["me/points"]["main"]
    assert {path: content for path, content in held.items() if path != ".gitattributes"} == on_disk(licensed)
    assert hub.private["me/points"] in ("private", True)
    ((_, _, done),) = hub.commits
    kinds = {path: kind for kind, path in done}
    assert kinds["saved_model.pb"] == "lfsFile" and kinds["README.md"] == "file"
    # The same again changes nothing.
    push.push("me/points", licensed.parent)
    assert hub.repos["me/points"]["main"] == held and len(hub.commits) == 1


def test_files_of_a_former_version_go_and_those_of_others_stay(hub, licensed, tmp_path):
    push.push("me/points", licensed)
    files = hub.repos["me/points"]["main"]
    files |= {"variables/variables.data-00001-of-00002": b"\0", "notes/variables/x": b"x", "demo.py": b"pass"}
    version = tmp_path / "1"
    shutil.copytree(licensed, version)
    (version / "assets.extra" / "more.txt").write_text("more")
    (version / "assets.extra" / ".hidden").write_text("hidden")
    (version / ".cache").mkdir()
    (version / ".cache" / "x").write_text("hidden")
    expected = {
        path: content for path, content in on_disk(version).items() if "." not in (path[0], path.split("/")[-1][0])
    }
    push.push("me/points", version)
    held = hub.repos["me/points"]["main"]
    assert held.keys() == expected.keys() | {".gitattributes", "notes/variables/x", "demo.py"}
    assert held["assets.extra/more.txt"] == b"more" and expected.items() < held.items()
    assert len(hub.commits) == 2


def test_a_revision_is_a_branch_which_is_made(hub, licensed):
    push.push("me/points", licensed)
    before = dict(hub.repos["me/points"]["main"])
    model_card.rewrite(licensed, "BSD-3-Clause")
    for _ in range(2):
        assert push.push("me/points", licensed, revision="v2") == f"{hub.url}/me/points/tree/v2"
        assert "variables/former" not in hub.repos["me/points"]["v2"]
        hub.repos["me/points"]["v2"]["variables/former"] = b"\0"
    assert hub.repos["me/points"]["main"] == before
    assert hub.repos["me/points"]["v2"]["README.md"].startswith(b"---\nlicense: bsd-3-clause\n")
    # A pull request's is none that could be made.
    with pytest.raises(RequestError, match=r"no such repository or revision"):
        push.push("me/points", licensed, revision="refs/pr/7")
    assert hub.repos["me/points"].keys() == {"main", "v2"}


def test_where_no_licence_is_stated_a_file_says_so_unless_somebody_stated_one(hub, version, tmp_path):
    push.push("me/tiny", version)
    files = hub.repos["me/tiny"]["main"]
    head = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert head["license"] == "other" and head["license_link"] == "LICENSE"
    assert files["LICENSE"].startswith(b"Licence of the weights: not stated; ")
    # Edited on the Hub.
    files["LICENSE"] = b"all rights reserved"
    push.push("me/tiny", version)
    assert hub.repos["me/tiny"]["main"]["LICENSE"] == b"all rights reserved"
    # Or beside the model.
    shutil.copytree(version, tmp_path / "1")
    (tmp_path / "1" / "LICENSE").write_text("terms")
    push.push("me/tiny", tmp_path / "1")
    assert hub.repos["me/tiny"]["main"]["LICENSE"] == b"terms"


@pytest.mark.parametrize(
    "repo, message",
    [
        ("points", "--repo: 'points'; expected OWNER/NAME"),
        ("a/b/c", "--repo: Repo id must be in the form"),
        ("me/../x", "--repo: Repo id must be"),
        ("me/x--y", "--repo: Cannot have -- or .. in repo_id"),
        ("others/points", "--repo: others/points: the token may not write there, 403 (You don't have the rights to"),
    ],
)
def test_a_repository_that_cannot_be_written_is_refused(repo, message, hub, licensed):
    with pytest.raises(RequestError) as caught:
        push.push(repo, licensed)
    assert str(caught.value).startswith(message) and not hub.repos


def test_a_model_without_a_card_or_no_model_is_refused(hub, licensed, tmp_path):
    with pytest.raises(RequestError, match=r"^--saved_model: .*none: no such directory"):
        push.push("me/points", tmp_path / "none")
    shutil.copytree(licensed, tmp_path / "1")
    shutil.rmtree(tmp_path / "1" / "assets.extra")
    with pytest.raises(RequestError, match=r"^--saved_model: .*/1 has no model card; export it by export.saved_model"):
        push.push("me/points", tmp_path / "1")
    assert not hub.repos


@pytest.mark.parametrize("path", ["/storage/", "/commit/"])
def test_a_failure_of_the_hub_leaves_the_repository_as_it_was(path, hub, licensed, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between retries of uploads
    hub.failing = {500: path}
    with pytest.raises(RunFailed, match=rf"^{hub.url} failed with status 500.*; what was pushed before is whole$"):
        push.push("me/points", licensed)
    assert hub.repos["me/points"]["main"].keys() == {".gitattributes"} and not hub.commits


def program(*arguments, **environment):
    command = [sys.executable, "-m", "export.push", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    done = subprocess.run(command, env=kept | environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def test_the_program_prints_the_url_of_a_pretrained_model(hub):
    name = min(index.read(), key=lambda name: index.read()[name]["bytes"])
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": hub.token, "HF_HUB_DISABLE_XET": "1"}
    code, out, _ = program(f"--saved_model=zoo:{name}", "--repo=me/pretrained", **environment)
    assert (code, out) == (0, f"{hub.url}/me/pretrained\n")
    version = pretrained.locate(name)
    assert on_disk(version).items() <= hub.repos["me/pretrained"]["main"].items()
    assert hub.private["me/pretrained"] is None


@pytest.mark.parametrize(
    "token, message",
    [("hf_wrong", "the Hub does not accept the token"), ("", "HF_TOKEN: no token"), ("hf_a b", "HF_TOKEN: no token")],
)
def test_a_wrong_token_is_one_line_without_the_token(token, message, hub, licensed, tmp_path):
    environment = {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HOME": str(tmp_path)}
    code, out, err = program(f"--saved_model={licensed}", "--repo=me/points", **environment)
    assert (code, out, err.count("\n")) == (2, "", 1) and message in err
    assert not token or token not in err


def test_a_hub_that_cannot_be_reached_is_one_line(licensed, tmp_path):
    with socket.socket() as closed:  # bound, not listening
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        code, out, err = program(f"--saved_model={licensed}", "--repo=me/points", HF_ENDPOINT=url, HF_TOKEN="hf_right")
    assert (code, out, err.count("\n")) == (1, "", 1) and f"{url} cannot be reached (" in err


def test_without_the_package_the_extra_is_named(licensed, monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RequestError, match=r"^huggingface_hub is not installed \(.*\); pip install 'tf-gan-zoo\[hub"):
        push.push("me/points", licensed)
