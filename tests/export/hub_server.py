"""A stand-in for the Hugging Face Hub: the part of its HTTP API that creates model repositories and commits to them.

As the Hub it takes text in the commit itself, and of binary files only a reference to what was uploaded before by the
protocol of Git LFS.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading
import urllib.parse

import yaml


class Hub:
    """What the stand-in holds.

    Attributes:
        url: of the server.
        repos: {repository: {branch: {path: content}}}.
        private: {repository: what the request to create it said of its visibility}.
        commits: (repository, branch, [operation's key and path, …]) of each commit.
        failing: {status: part of a path}: requests whose path has that part are answered by that status.
    """

    token = "hf_right"

    def __init__(self):
        self.repos, self.private, self.commits, self.failing, self.uploaded = {}, {}, [], {}, {}

    def answer(self, method, path, body, token):
        """(status, JSON value or None, headers) of a request."""
        for status, part in self.failing.items():
            if part in path:
                return status, {"error": f"asked to fail with {status}"}, {}
        if stored := re.fullmatch("/storage/([0-9a-f]{64})", path):
            if hashlib.sha256(body).hexdigest() != stored[1]:
                return 400, {"error": "another content than announced"}, {}
            self.uploaded[stored[1]] = body
            return 200, None, {}
        if token != self.token:
            return 401, {"error": "Invalid username or password."}, {}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return self._validate(json.loads(body)["content"])
        if path.endswith(".git/info/lfs/objects/batch"):
            return 200, {"objects": [self._upload(each) for each in json.loads(body)["objects"]]}, {}
        found = re.fullmatch("/api/models/([^/]+/[^/]+)(?:/([a-z]+)/(.+))?", path)
        repo, action, revision = found.groups() if found else (None, None, None)
        if repo not in self.repos:
            return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}
        branches, revision = self.repos[repo], urllib.parse.unquote(revision or "main")
        if action == "branch":
            if revision in branches:
                return 409, {"error": "Reference already exists"}, {}
            branches[revision] = dict(branches["main"])
            return 201, None, {}
        if revision not in branches:
            return 404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"}
        files = branches[revision]
        if action in (None, "revision"):
            return 200, {"id": repo, "sha": "0" * 40, "siblings": []}, {}
        if action == "tree":
            return 200, [self._entry(path, content) for path, content in files.items()], {}
        if action == "preupload":
            return 200, {"files": [self._mode(each, files) for each in json.loads(body)["files"]]}, {}
        if action == "commit":
            return self._commit(repo, revision, [json.loads(line) for line in body.splitlines()])
        return 404, {"error": "not in this stand-in"}, {}

    def _create(self, asked):
        repo = f"{asked['organization']}/{asked['name']}"
        url = {"url": f"{self.url}/{repo}", "id": repo}
        if repo in self.repos:
            return 409, {"error": "You already created this model repo", **url}, {}
        if asked["organization"] == "others":
            return 403, {"error": "You don't have the rights to create a model under this namespace"}, {}
        self.repos[repo] = {"main": {".gitattributes": b"*.pb filter=lfs diff=lfs merge=lfs -text\n"}}
        self.private[repo] = asked.get("visibility", asked.get("private"))
        return 200, url, {}

    def _validate(self, content):
        if not content.startswith("---\n"):
            return 200, {"errors": [], "warnings": [{"message": "empty or missing yaml metadata"}]}, {}
        values = yaml.safe_load(content.split("---\n")[1])
        if values["license"] == "other" and not {"license_name", "license_link"} <= values.keys():
            return 400, {"errors": [{"message": "license other needs a name and a link"}], "warnings": []}, {}
        return 200, {"errors": [], "warnings": []}, {}

    def _upload(self, asked):
        done = asked["oid"] in self.uploaded
        actions = {} if done else {"actions": {"upload": {"href": f"{self.url}/storage/{asked['oid']}"}}}
        return {"oid": asked["oid"], "size": asked["size"], **actions}

    @staticmethod
    def _large(path, sample):
        return path.endswith(".pb") or b"\0" in sample

    def _oid(self, path, content):
        if self._large(path, content[:512]):
            return hashlib.sha256(content).hexdigest()
        return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()

    def _entry(self, path, content):
        return {"type": "file", "path": path, "size": len(content), "oid": self._oid(path, content)}

    def _mode(self, asked, files):
        path = asked["path"]
        mode = "lfs" if self._large(path, base64.b64decode(asked["sample"])) else "regular"
        known = {"oid": self._oid(path, files[path])} if path in files else {}
        return {"path": path, "uploadMode": mode, "shouldIgnore": False, **known}

    def _commit(self, repo, revision, lines):
        files, done = dict(self.repos[repo][revision]), []
        for line in lines[1:]:
            key, path = line["key"], line["value"]["path"]
            if key == "file":
                files[path] = base64.b64decode(line["value"]["content"])
            elif key == "lfsFile":
                files[path] = self.uploaded[line["value"]["oid"]]
            else:
                del files[path]
            done.append((key, path))
        self.repos[repo][revision] = files
        self.commits.append((repo, revision, done))
        return 200, {"commitUrl": f"{self.url}/{repo}/commit/{'0' * 40}", "commitOid": "0" * 40, "success": True}, {}


@contextlib.contextmanager
def running():
    """A `Hub` that listens on a free port of this machine."""
    hub = Hub()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            path = self.path.partition("?")[0]
            status, value, headers = hub.answer(self.command, path, body, token)
            content = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            for name, header in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, header)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _answer

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
