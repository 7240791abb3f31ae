"""Fetching from a real server and from mirrors."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from selfcell.data import fetch as fetching
from selfcell.data import transport
from selfcell.data.fetch import Patience, cache_dir, fetch, mirror_list
from selfcell.data.registry import Artefact
from selfcell.errors import FetchError
from tests.data.http_server import BODY, QUICK, SHA, Server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def artefact(url: str, sha: str = SHA) -> Artefact:
    return Artefact(name="x", kind="https", url=url, file="x.bin", sha256=sha, size_mb=1.05)


def left_over(cache: Path) -> list[str]:
    """Files in the cache that are neither results nor locks."""
    files = [path.name for path in cache.rglob("*") if path.is_file()]
    return [name for name in files if name != "x.bin" and not name.endswith(".lock")]


def test_fetched_once_then_cached(server: Server, tmp_path: Path) -> None:
    first = fetch(artefact(server.url), tmp_path, patience=QUICK)
    assert first.read_bytes() == BODY
    assert fetch(artefact(server.url), tmp_path, patience=QUICK) == first
    assert len(server.ranges) == 1
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("fault", ["truncated", "stall"])
def test_a_broken_transfer_is_resumed(server: Server, tmp_path: Path, fault: str) -> None:
    server.script = [fault]
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY
    assert server.ranges == [None, f"bytes={len(BODY) // 2}-"]


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.script = ["truncated", "norange"]
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY
    assert len(server.ranges) == 2


def test_unavailable_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.script = ["503", "429"]
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY
    assert len(server.ranges) == 3


def test_each_wait_is_twice_the_one_before(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(transport.time, "sleep", waited.append)
    server.script = ["503"] * 3
    patience = Patience(stall_s=5, tries=4, backoff_s=0.5, lock_s=10)
    assert fetch(artefact(server.url), tmp_path, patience=patience).read_bytes() == BODY
    assert waited == [0.5, 1.0, 2.0]


def test_not_found_is_final(server: Server, tmp_path: Path) -> None:
    server.script = ["404"] * 9
    with pytest.raises(FetchError, match="HTTP 404.*SELFCELL_MIRRORS"):
        fetch(artefact(server.url), tmp_path, patience=QUICK)
    assert len(server.ranges) == 1
    assert left_over(tmp_path) == []


def test_gives_up_after_the_last_try(server: Server, tmp_path: Path) -> None:
    server.script = ["503"] * 9
    with pytest.raises(FetchError, match="HTTP 503.*after 3 attempts"):
        fetch(artefact(server.url), tmp_path, patience=QUICK)
    assert len(server.ranges) == 3


def test_nobody_answering_is_named(server: Server, tmp_path: Path) -> None:
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(FetchError, match="refused, after 3 attempts.*SELFCELL_MIRRORS"):
        fetch(artefact(server.url), tmp_path, patience=QUICK)
    assert left_over(tmp_path) == []


def test_an_altered_file_is_asked_for_once_more(server: Server, tmp_path: Path) -> None:
    server.script = ["altered"]
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY
    assert len(server.ranges) == 2


def test_an_altered_file_twice_names_both_sums(server: Server, tmp_path: Path) -> None:
    server.script = ["altered"] * 9
    wrong = hashlib.sha256(b"!" + BODY[1:]).hexdigest()
    with pytest.raises(FetchError, match=f"(?s){wrong}.*{SHA}"):
        fetch(artefact(server.url), tmp_path, patience=QUICK)
    assert len(server.ranges) == 2
    assert left_over(tmp_path) == []
    assert not list(tmp_path.rglob("x.bin"))


def test_a_damaged_cache_is_refreshed(server: Server, tmp_path: Path) -> None:
    path = fetch(artefact(server.url), tmp_path, patience=QUICK)
    path.write_bytes(BODY[:-1])
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY


def test_a_part_left_by_a_killed_process_is_used(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "artefacts" / SHA[:16]
    folder.mkdir(parents=True)
    (folder / ".x.bin.part").write_bytes(BODY[:1000])
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"]


def test_a_whole_part_gets_416_and_starts_again(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "artefacts" / SHA[:16]
    folder.mkdir(parents=True)
    (folder / ".x.bin.part").write_bytes(BODY)
    server.script = ["416"]
    assert fetch(artefact(server.url), tmp_path, patience=QUICK).read_bytes() == BODY


def test_a_full_disk_is_no_network_fault(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(url: str, to: Path, *args: object) -> None:
        to.write_bytes(BODY[:9])
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(transport, "_stream", full)
    with pytest.raises(OSError, match="No space left"):
        fetch(artefact(server.url), tmp_path, patience=QUICK)
    assert left_over(tmp_path) == []


def test_mirrors_go_first_and_a_bad_one_is_passed_over(server: Server, tmp_path: Path) -> None:
    good, bad, empty = tmp_path / "good", tmp_path / "bad", tmp_path / "empty"
    for folder in (good, bad, empty):
        folder.mkdir()
    (good / "x.bin").write_bytes(BODY)
    (bad / "x.bin").write_bytes(BODY[:-1])
    mirrors = [str(empty), str(bad), str(good)]
    path = fetch(artefact(server.url), tmp_path / "cache", mirrors, QUICK)
    assert path.read_bytes() == BODY
    assert server.ranges == []
    (good / "x.bin").write_bytes(b"")
    assert path.read_bytes() == BODY


def test_an_http_mirror_is_asked_for_the_file(server: Server, tmp_path: Path) -> None:
    nowhere = artefact("http://127.0.0.1:9/never")
    mirror = server.url.removesuffix("/x.bin") + "/"
    assert fetch(nowhere, tmp_path, [mirror], QUICK).read_bytes() == BODY


def test_many_processes_fetch_once(server: Server, tmp_path: Path) -> None:
    server.script = ["slow"]
    code = (
        "import sys; from pathlib import Path; from selfcell.data.fetch import fetch\n"
        "from selfcell.data.registry import Artefact\n"
        "print(fetch(Artefact.model_validate_json(sys.argv[1]), Path(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, artefact(server.url).model_dump_json(), str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]
    paths = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(paths) == 1
    assert len(server.ranges) == 1


def test_waiting_for_a_held_lock_ends(tmp_path: Path) -> None:
    target = tmp_path / "artefacts" / SHA[:16] / "x.bin"
    target.parent.mkdir(parents=True)
    with (
        fetching._lock(target, 1.0),
        pytest.raises(FetchError, match="another process has held x.bin"),
    ):
        fetch(artefact("http://127.0.0.1:9/x"), tmp_path, patience=Patience(lock_s=0.1))


def test_local_files_are_used_where_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "own.bin"
    path.write_bytes(BODY)
    own = Artefact(name="o", kind="local", path=str(path))
    assert fetch(own, tmp_path / "cache") == path
    pinned = own.model_copy(update={"sha256": "1" * 64})
    with pytest.raises(FetchError, match=f"{SHA}.*{'1' * 64}"):
        fetch(pinned, tmp_path)
    with pytest.raises(FetchError, match="there is no"):
        fetch(own.model_copy(update={"path": str(tmp_path / "none")}), tmp_path)


def test_mirror_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFCELL_MIRRORS", f"/a{os.pathsep}http://h:80/m{os.pathsep}/b,https://c/d")
    expected = ("/first", "/a", "http://h:80/m", "/b", "https://c/d")
    assert mirror_list(["/first", "/a"]) == expected
    monkeypatch.delenv("SELFCELL_MIRRORS")
    assert mirror_list() == ()


def test_cache_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SELFCELL_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    assert cache_dir("/given") == Path("/given")
    monkeypatch.delenv("SELFCELL_CACHE")
    assert cache_dir() == Path.home() / ".cache" / "selfcell"
