"""The page at `/` and what it needs beside the REST API: a list of models, and the papers that a version carries."""

import asyncio
import pathlib
import urllib.parse

import tensorflow as tf
from aiohttp import web
from tensorflow_serving.apis import model_pb2

from export.serving.errors import Code, ServingError
from export.serving.models import State

PAGE = pathlib.Path(__file__).with_name("gallery.html")
_TYPES = {
    "model_card.md": "text/markdown; charset=utf-8",
    "model_card.json": "application/json",
    "report.html": "text/html; charset=utf-8",
    "report.json": "application/json",
}
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
#: A version's files come from whoever made the model: they may show themselves, and nothing else.
_SANDBOX = {**_SAFE, "Content-Security-Policy": "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"}
_OWN = {
    **_SAFE,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
        "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
}


class Gallery:
    """Handlers of the page.

    Args:
        manager: `models.Manager`.
    """

    def __init__(self, manager):
        self._manager = manager

    def routes(self):
        """For a web.Application."""
        return [
            web.get("/", self._page),
            web.get("/gallery/models", self._models),
            web.get("/gallery/models/{name}/versions/{version:[0-9]{1,18}}/files/{file}", self._file),
        ]

    async def _page(self, request):
        return web.FileResponse(PAGE, headers=_OWN)

    async def _models(self, request):
        models = [
            {
                "name": model.name,
                "versions": [
                    {"version": version.number, "state": State.Name(version.state)}
                    for version in sorted(model.versions.values(), key=lambda version: version.number, reverse=True)
                ],
                "labels": labels,
            }
            for model, labels in self._manager.configured()
        ]
        return web.json_response({"models": models}, headers=_SAFE)

    async def _file(self, request):
        name, number, file = (urllib.parse.unquote(request.match_info[key]) for key in ("name", "version", "file"))
        if file not in _TYPES:
            raise ServingError(Code.NOT_FOUND, f"{file}: no such file; there are {', '.join(_TYPES)}")
        spec = model_pb2.ModelSpec(name=name)
        spec.version.value = int(number)
        with self._manager.lease(spec) as version:
            body = await asyncio.to_thread(_read, version.path, file)
        if body is None:
            raise ServingError(Code.NOT_FOUND, f"{name} version {number} has no {file}")
        return web.Response(body=body, headers={**_SANDBOX, "Content-Type": _TYPES[file]})


def _read(folder, file):
    """The bytes of a version's paper; None where there is none."""
    path = tf.io.gfile.join(folder, "assets.extra", file)
    if not tf.io.gfile.exists(path) or not _inside(folder, path):
        return None
    with tf.io.gfile.GFile(path, "rb") as content:
        return content.read()


def _inside(folder, path):
    """Whether a path stays in a folder once symbolic links are followed, which only a local file system has."""
    folder, path = (pathlib.Path(each.removeprefix("file://")).resolve() for each in (folder, path))
    return path.is_relative_to(folder)
