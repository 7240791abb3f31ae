"""Models on the Hugging Face Hub: fetched into the cache, pushed with a card.

Of a repository only `model.json` and `weights.safetensors` are ever asked for, by these names, and
written below the cache by names made here; no name, revision or tag that a server says is used
as a path, which the client library's own cache does. What came is compared with the sums that the
Hub lists. Commits are cached by their hash: one that is there needs no network.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selfcell import job
from selfcell.data.fetch import cache_dir
from selfcell.errors import ConfigError, FetchError
from selfcell.provenance import sha256_file

log = logging.getLogger("selfcell")

SCHEME = "hf://"
FILES = ("model.json", "weights.safetensors")
PART = r"[A-Za-z0-9](?:[\w.-]*[\w-])?"
ADDRESS = re.compile(rf"({PART}/{PART})(?:@([\w./-]{{1,200}}))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
PICKLES = re.compile(r"\.(?:bin|ckpt|h5|joblib|pickle|pkl|pt|pth)$")
INSTALL = "pip install 'selfcell[hub]'"


@dataclass(frozen=True)
class Address:
    """A model on the Hub.

    Attributes:
        repo: owner/name.
        revision: branch, tag or commit.
    """

    repo: str
    revision: str = "main"

    @property
    def folder(self) -> Path:
        """Where the cache keeps its commits."""
        return cache_dir() / "hub" / self.repo.replace("/", "--")


def address_of(text: str, revision: str | None = None) -> Address | None:
    """The address that a text names: `hf://owner/name`, or `owner/name` where no such folder is;
    either may end in `@revision`. None for a path.

    Raises ConfigError: `hf://` and no address, or a revision of a path or said twice.
    """
    found = ADDRESS.fullmatch(text.removeprefix(SCHEME))
    named = text.startswith(SCHEME)
    if named and not found:
        raise ConfigError(f"model {text!r}", "hf://owner/name or hf://owner/name@revision")
    if not found or not (named or not Path(text).exists()):
        if revision:
            raise ConfigError(f"revision {revision!r} of the folder {text}", "a model on the Hub")
        return None
    if revision and found[2]:
        raise ConfigError(f"revision {revision!r} of {text!r}", "a revision once")
    return Address(found[1], revision or found[2] or "main")


def pull(address: Address) -> Path:
    """Folder of the model in the cache, fetched if it is not there.

    Where the Hub cannot be reached, or `HF_HUB_OFFLINE` is 1, the commit that the revision was
    last seen at is used, and said.

    Raises:
        FetchError: no such repository or revision, none that holds a model of this package, a
            file that is not what the Hub lists, or no network and nothing in the cache.
        ConfigError: the extra `hub` is not installed.
    """
    if COMMIT.fullmatch(address.revision) and (there := _cached(address, address.revision)):
        return there
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return _last_seen(address, "HF_HUB_OFFLINE is set")
    client = _client(address)
    try:
        with _refused(address):
            info = client.model_info(address.repo, revision=address.revision, files_metadata=True)
    except ConnectionError as error:
        return _last_seen(address, str(error))
    commit = str(info.sha)
    if not COMMIT.fullmatch(commit):
        raise FetchError(f"{address.repo}: the Hub names the commit {commit[:60]!r}", "40 digits")
    files = {str(each.rfilename): each for each in info.siblings or []}
    _require_model(address, sorted(files))
    if not (folder := _cached(address, commit)):
        folder = address.folder / commit
        with job.atomic(folder) as temporary, _refused(address):
            temporary.mkdir()
            for name in FILES:
                _download(address, commit, name, files[name], temporary / name)
    seen = {**_seen(address), address.revision: commit}
    job.write_json(seen, address.folder / "revisions.json")
    return folder


def push(
    folder: Path, repo: str, *, revision: str = "main", private: bool = False, message: str = ""
) -> str:
    """Upload a model folder with a card made from it; the repository is made where it is absent.

    Args:
        folder: a model folder; it is read first, and a damaged one is refused.
        repo: owner/name. revision: branch to commit to. private: of a repository that is made.
        message: of the commit.

    Returns:
        The commit's hash, a revision to load this very model by.

    Raises:
        StoreError: no model. FetchError: the Hub refuses, or cannot be reached.
        ConfigError: no such form of address, or the extra `hub` is not installed.
    """
    from selfcell.modelcard import front_matter, markdown
    from selfcell.tasks.model import load

    address = address_of(f"{SCHEME}{repo}", revision)
    assert address is not None  # hf:// names an address or raises
    about = load(folder).about
    client = _client(address)
    from huggingface_hub import CommitOperationAdd

    card = front_matter(about) + markdown(about, repo) + "\n"
    content: dict[str, Any] = {"README.md": card.encode()}
    content |= {name: str(folder / name) for name in FILES}
    operations = [CommitOperationAdd(name, value) for name, value in content.items()]
    message = message or f"Model of selfcell {about['selfcell']}"
    try:
        with _refused(address):
            client.create_repo(repo, private=private, exist_ok=True)
            done = client.create_commit(repo, operations, commit_message=message, revision=revision)
    except ConnectionError as error:
        raise FetchError(f"{repo}: the Hub cannot be reached ({error})") from error
    return str(done.oid)


def _client(address: Address) -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        got = f"{address.repo} is no folder here, and the Hub needs the package huggingface_hub"
        raise ConfigError(got, "a model folder, or that package", INSTALL) from error
    endpoint = os.environ.get("HF_ENDPOINT") or None
    return huggingface_hub.HfApi(endpoint=endpoint, library_name="selfcell")


@contextmanager
def _refused(address: Address) -> Iterator[None]:
    """Turn what the library raises into FetchError where the Hub said no, into ConnectionError
    where it said nothing."""
    from huggingface_hub import errors

    place = f"{address.repo} at {address.revision}"
    try:
        yield
    except errors.HfHubHTTPError as error:
        if error.response is not None and error.response.status_code >= 500:
            raise ConnectionError(f"HTTP {error.response.status_code}") from error
        detail = (error.server_message or str(error)).strip().splitlines()
        raise FetchError(
            f"no folder of that name, and the Hub refused {place} ({' '.join(detail[:1])[:200]})",
            "a repository that is there, and the right to it",
            "correct the name; for a private or gated one: hf auth login",
        ) from error
    except errors.HFValidationError as error:
        raise ConfigError(f"model {address.repo!r} ({error})", "owner/name") from error
    except errors.HTTPError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


def _require_model(address: Address, names: list[str]) -> None:
    if set(FILES) <= set(names):
        return
    pickles = [name for name in names if PICKLES.search(name)]
    shown = ", ".join(name[:60] for name in (pickles or names)[:5]) or "nothing"
    remedy = "a pickle is never loaded; download it and use selfcell import-checkpoint"
    raise FetchError(
        f"{address.repo} holds no model of selfcell but {shown}",
        " and ".join(FILES),
        remedy if pickles else "push one with selfcell push",
    )


def _download(address: Address, commit: str, name: str, listed: Any, to: Path) -> None:
    """Raises FetchError for bytes that are not those the Hub lists."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    endpoint = os.environ.get("HF_ENDPOINT") or None
    url = hf_hub_url(address.repo, name, revision=commit, endpoint=endpoint)
    size = listed.size if isinstance(listed.size, int) else None
    with open(to, "wb") as stream, _whole(f"{name} of {address.repo}"):
        http_get(
            url, stream, headers=build_hf_headers(library_name="selfcell"), expected_size=size,
            displayed_filename=f"{address.repo} {name}",
        )  # fmt: skip
    if listed.lfs:
        expected, found = listed.lfs.sha256, sha256_file(to)
    else:
        expected, found = listed.blob_id, _git_sum(to)
    if expected and expected != found:
        got = f"{name} of {address.repo} has sum {found}"
        raise FetchError(got, str(expected)[:64], "try again; something alters the files")


@contextmanager
def _whole(what: str) -> Iterator[None]:
    """The library's word for a file of another length than listed is an OSError of its own."""
    try:
        yield
    except OSError as error:
        if error.errno is not None or "should be of size" not in str(error):
            raise
        detail = " ".join(str(error).split())
        raise FetchError(f"{what} did not come whole ({detail})", remedy="try again") from error


def _git_sum(path: Path) -> str:
    """Sum by which git lists a file."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _cached(address: Address, commit: str) -> Path | None:
    folder = address.folder / commit
    return folder if all((folder / name).is_file() for name in FILES) else None


def _seen(address: Address) -> dict[str, str]:
    """Commit of each revision when it was last asked for."""
    path = address.folder / "revisions.json"
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _last_seen(address: Address, why: str) -> Path:
    commit = _seen(address).get(address.revision, address.revision)
    there = _cached(address, commit) if COMMIT.fullmatch(commit) else None
    if there is None:
        raise FetchError(
            f"{address.repo} at {address.revision} is no folder, not in the cache, and the Hub "
            f"cannot be reached ({why})",
            "a model folder, or a network",
            "correct the path, or load it once where there is a network",
        )
    log.warning("%s: %s; commit %s of the cache is used", address.repo, why, commit)
    return there
