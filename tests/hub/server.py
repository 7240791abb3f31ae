"""A hub on loopback that speaks as much of the Hugging Face Hub as a client of models needs."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlparse


def commit_of(files: dict[str, bytes]) -> str:
    """A hash of what the files hold."""
    parts = [name.encode() + content for name, content in sorted(files.items())]
    return hashlib.sha1(b"".join(parts)).hexdigest()


@dataclass
class Hub:
    """Repositories, and what goes wrong with them.

    Attributes:
        commits: files by name, by repository and commit.
        heads: commit by repository and branch.
        listed: what the Hub says of a repository instead of the truth.
        lfs: names of files that are kept as large files, behind a redirection.
        altered: bytes sent instead of a file of that name.
        asked: paths of all requests.
        down: answer everything with 503.
    """

    commits: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    heads: dict[str, dict[str, str]] = field(default_factory=dict)
    listed: dict[str, Any] = field(default_factory=dict)
    lfs: set[str] = field(default_factory=set)
    altered: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    down: bool = False

    def put(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Commit files; the commit's hash."""
        commit = commit_of(files)
        self.commits.setdefault(repo, {})[commit] = dict(files)
        self.heads.setdefault(repo, {})[branch] = commit
        return commit

    def find(self, repo: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Commit and files of a revision."""
        commit = self.heads.get(repo, {}).get(revision, revision)
        files = self.commits.get(repo, {}).get(commit)
        return None if files is None else (commit, files)

    def info(self, repo: str, commit: str, files: dict[str, bytes]) -> dict[str, Any]:
        """What `/api/models` answers."""
        siblings = []
        for name, content in files.items():
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            entry: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": git}
            if name in self.lfs:
                sha = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"size": len(content), "sha256": sha, "pointerSize": 134}
            siblings.append(entry)
        return {"id": repo, "modelId": repo, "sha": commit, "siblings": siblings} | self.listed


class Handler(BaseHTTPRequestHandler):
    """One request; `server.hub` holds the state."""

    def log_message(self, *words: object) -> None:
        """Say nothing."""

    @property
    def hub(self) -> Hub:
        """The state."""
        return self.server.hub  # type: ignore[attr-defined]

    def answer(self, code: int, body: bytes, **headers: str) -> None:
        """Send an answer."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def say(self, code: int, value: Any, **headers: str) -> None:
        """Send JSON."""
        self.answer(code, json.dumps(value).encode(), Content_Type="application/json", **headers)

    def absent(self, kind: str = "RepoNotFound") -> None:
        """Send 404 as the Hub does."""
        self.say(404, {"error": "Repository not found"}, X_Error_Code=kind)

    def do_GET(self) -> None:
        """Information on a model, or a file of it."""
        path = unquote(urlparse(self.path).path)
        self.hub.asked.append(path)
        parts = path.strip("/").split("/")
        if self.hub.down:
            self.say(503, {"error": "maintenance"})
        elif parts[:2] == ["api", "models"]:
            repo, revision = "/".join(parts[2:4]), "/".join(parts[5:]) or "main"
            found = self.hub.find(repo, revision)
            if repo not in self.hub.commits:
                self.absent()
            elif found is None:
                self.absent("RevisionNotFound")
            else:
                self.say(200, self.hub.info(repo, *found))
        elif parts[0] == "large":
            self.answer(200, self.file("/".join(parts[1:3]), parts[3], parts[4]))
        else:
            repo, revision, name = "/".join(parts[:2]), parts[3], "/".join(parts[4:])
            if name in self.hub.lfs:
                self.answer(302, b"", Location=f"/large/{repo}/{revision}/{name}")
            else:
                self.answer(200, self.file(repo, revision, name))

    do_HEAD = do_GET

    def file(self, repo: str, revision: str, name: str) -> bytes:
        """Bytes of a file."""
        found = self.hub.find(repo, revision)
        assert found is not None
        return self.hub.altered.get(name, found[1][name])

    def do_POST(self) -> None:
        """Make a repository, or commit to it."""
        path = unquote(urlparse(self.path).path)
        self.hub.asked.append(path)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if self.hub.down:
            self.say(503, {"error": "maintenance"})
        elif self.headers.get("Authorization") != "Bearer hf_good":
            self.say(401, {"error": "Invalid credentials in Authorization header"})
        elif path == "/api/repos/create":
            wanted = json.loads(body)
            repo = f"{wanted.get('organization') or 'owner'}/{wanted['name']}"
            self.hub.commits.setdefault(repo, {})
            self.say(200, {"url": f"http://127.0.0.1/{repo}", "id": "1", "name": repo})
        elif path == "/api/validate-yaml":
            self.say(200, {"errors": [], "warnings": []})
        else:
            self.commit(path.strip("/").split("/"), body)

    def commit(self, parts: list[str], body: bytes) -> None:
        """The two requests that a commit is made of."""
        repo, verb, branch = "/".join(parts[2:4]), parts[4], "/".join(parts[5:])
        if verb == "preupload":
            names = [each["path"] for each in json.loads(body)["files"]]
            modes = [{"path": n, "uploadMode": "regular", "shouldIgnore": False} for n in names]
            self.say(200, {"files": modes})
            return
        lines = [json.loads(line) for line in body.splitlines()]
        files = {
            line["value"]["path"]: base64.b64decode(line["value"]["content"])
            for line in lines
            if line["key"] == "file"
        }
        commit = self.hub.put(repo, files, branch)
        url = f"http://127.0.0.1/{repo}/commit/{commit}"
        self.say(200, {"success": True, "commitOid": commit, "commitUrl": url})


@contextmanager
def served(hub: Hub) -> Iterator[str]:
    """Address of the hub while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
