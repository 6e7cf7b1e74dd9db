"""Pushes an exported generator to the Hugging Face Hub.

    python -m export.push --repo=OWNER/NAME --saved_model=PATH [--private] [--revision=BRANCH]

PATH is a version's directory, a model's, whose newest version is taken, or ``zoo:NAME``. The repository and the branch
are made where they do not exist. Its files become those of the version, in one commit: the SavedModel, the report and
the model card, which is also README.md, the page that the Hub shows. Files of the repository outside of the folders of
the version stay. The token is that of the environment's HF_TOKEN, or of ``hf auth login``.

Needs the extra ``hub``. HF_ENDPOINT names another server than https://huggingface.co.
"""

import os
import pathlib
import re

from absl import flags

from export import front_matter
from trainers import program
from trainers.program import RunFailed
from zoo.errors import RequestError
from zoo.files import FULL
from zoo.pretrained import cards, find_saved_model
from zoo.pretrained.networks import EXTRA

#: Folders of a SavedModel. What the repository has there and the version has not is of a former version.
_FOLDERS = ("assets", EXTRA, "variables")
#: Answers of the Hub that say that the request is wrong → what may be.
_REFUSALS = {
    400: "the Hub refuses the request",
    401: "the Hub does not accept the token of HF_TOKEN or of hf auth login",
    403: "the token may not write there",
    404: "the Hub has no such repository or revision, or the token may not see it",
}


def push(repo, saved_model, private=None, revision=None):
    """Pushes a SavedModel and its model card to a model repository of the Hub.

    Args:
        repo: OWNER/NAME.
        saved_model: as of `zoo.pretrained.find_saved_model`, a local directory that tf-gan-zoo wrote.
        private: whether a repository that is made is private; None for its owner's default.
        revision: branch, made where it does not exist; None for main.

    Returns:
        The URL of the repository, a str; with a revision that of its files there.

    Raises:
        RequestError: huggingface_hub is not installed; a wrong name; no such model, or one without a model card; no
            token; or the Hub refuses the token, the repository or the revision.
        RunFailed: the Hub cannot be reached, or fails.
    """
    try:
        import huggingface_hub
        from huggingface_hub import errors, utils
    except ImportError as error:
        raise RequestError(f"huggingface_hub is not installed ({error}); pip install 'tf-gan-zoo[hub]'") from error
    try:
        utils.validate_repo_id(repo)
    except errors.HFValidationError as error:
        raise RequestError(f"--repo: {error}") from error
    if "/" not in repo:
        raise RequestError(f"--repo: {repo!r}; expected OWNER/NAME")
    files = repository_files(saved_model)
    # Anything else cannot be sent, and a message on that would show it.
    if not re.fullmatch("[!-~]+", huggingface_hub.get_token() or ""):
        raise RequestError("HF_TOKEN: no token, or not one; set it in the environment, or run hf auth login")
    hub = huggingface_hub.HfApi(library_name="tf-gan-zoo")
    try:
        url = hub.create_repo(repo, private=private, exist_ok=True)
        # Pull requests, refs/pr/1, are no branches.
        if revision is not None and not revision.startswith("refs/"):
            hub.create_branch(repo, branch=revision, exist_ok=True)
        there = hub.list_repo_files(repo, revision=revision)
        if front_matter.LICENSE_FILE in there and isinstance(files.get(front_matter.LICENSE_FILE), bytes):
            del files[front_matter.LICENSE_FILE]  # somebody has stated a licence since
        gone = [path for path in there if path.split("/")[0] in _FOLDERS and path not in files]
        operations = [huggingface_hub.CommitOperationAdd(path, content) for path, content in sorted(files.items())]
        operations += [huggingface_hub.CommitOperationDelete(path) for path in gone]
        hub.create_commit(repo, operations, commit_message="Upload from tf-gan-zoo", revision=revision)
    except (errors.HTTPError, OSError, RuntimeError, ValueError) as error:
        raise _told(error, repo, hub.endpoint) from error
    return f"{url}/tree/{revision}" if revision else str(url)


def repository_files(saved_model):
    """What a repository holds of a version: {path in the repository: local path (str), or the content (bytes)}.

    README.md is the model card. Where the weights have no licence that the Hub or SPDX lists, LICENSE tells what the
    card states, unless the version has such a file. Hidden files are left out.

    Raises:
        RequestError: there is no such SavedModel, it is remote, or it has no model card.
    """
    version = find_saved_model(saved_model)
    if "://" in os.fspath(version):
        raise RequestError(f"--saved_model: {version}; expected a directory of this machine")
    page, card = version / EXTRA / "model_card.md", cards.read(version)
    if not page.exists() or not card:
        raise RequestError(f"--saved_model: {version} has no model card; export it by export.saved_model")
    version = pathlib.Path(version)
    paths = [path for path in version.rglob("*") if not path.is_dir()]
    files = {path.relative_to(version).as_posix(): os.fspath(path) for path in paths}
    files = {name: path for name, path in files.items() if not any(part[0] == "." for part in name.split("/"))}
    files["README.md"] = os.fspath(page)
    if front_matter.license_of(card).get("license_link") == front_matter.LICENSE_FILE:
        files.setdefault(front_matter.LICENSE_FILE, f"Licence of the weights: {card['license']['weights']}\n".encode())
    return files


def _told(error, repo, endpoint):
    """The exception of one line for one of huggingface_hub's, which have many."""
    from huggingface_hub import errors

    # An upload by several threads wraps what failed.
    cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
    if isinstance(cause, errors.HfHubHTTPError):
        status = cause.response.status_code
        said = f" ({cause.server_message})" if cause.server_message else ""
        if status in _REFUSALS:
            return RequestError(f"--repo: {repo}: {_REFUSALS[status]}, {status}{said}")
        return RunFailed(f"{endpoint} failed with status {status}{said}; what was pushed before is whole")
    if isinstance(cause, errors.OfflineModeIsEnabled):
        return RunFailed(f"{endpoint} is not asked: HF_HUB_OFFLINE is set")
    if isinstance(cause, errors.HTTPError):
        return RunFailed(f"{endpoint} cannot be reached ({cause or type(cause).__name__})")
    if isinstance(cause, OSError) and cause.errno in FULL:
        return cause  # the message for a full disk is the programs'
    return RunFailed(f"{repo} cannot be pushed ({cause})")


def main(argv):
    del argv
    given = flags.FLAGS
    for name in ("repo", "saved_model"):
        if not given[name].value:
            raise RequestError(f"--{name}: missing; see --help")
    print(push(given.repo, given.saved_model, given.private, given.revision or None))


def run():
    """Console entry point."""
    flags.DEFINE_string("repo", None, "Repository of the Hub, OWNER/NAME.")
    flags.DEFINE_string("saved_model", None, "Directory of a SavedModel, of a version or a model, or zoo:NAME.")
    flags.DEFINE_boolean("private", None, "Whether a new repository is private; its owner's default if not given.")
    flags.DEFINE_string("revision", None, "Branch of the repository; main if not given.")
    program.run(main)


if __name__ == "__main__":
    run()
