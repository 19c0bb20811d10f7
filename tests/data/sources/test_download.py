"""Downloads, from a server of this test: complete, interrupted and resumed, of something else, without a network."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from filelock import FileLock

from negsample.data.sources.catalogue import SOURCES
from negsample.data.sources.fetch import fetch
from negsample.data.sources.fetched import fetched, folder_of, log_of
from negsample.data.sources.source import Official
from negsample.errors import InputError

LINES = "".join(f"{user}::{user % 9}::5::{978_300_760 + 60 * user}\n" for user in range(20_000))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def archive() -> bytes:
    """``ml-1m.zip`` as it is laid out, but stored, so that it has some size."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as file:
        file.writestr("ml-1m/ratings.dat", LINES)
    return memory.getvalue()


class Server(ThreadingHTTPServer):
    """Serves ``content``; what it was asked for stands in ``ranges``."""

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.ranges = content, []
        self.cut_after: int | None = None  # bytes of an answer
        self.knows_ranges, self.status, self.says_length = True, 200, True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, asked = self.server, self.headers["Range"]
        server.ranges.append(asked)
        content, status = server.content, server.status
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked and server.knows_ranges else 0
        if start >= len(content) and start:
            status = 416
        elif start:
            status = 206
        self.send_response(status)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if server.says_length:
            self.send_header("Content-Length", str(len(content) - start if status in (200, 206) else 0))
        self.end_headers()
        if status in (200, 206):
            self.wfile.write(content[start:][: server.cut_after])
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        pass


@contextmanager
def serving(content: bytes) -> Iterator[Server]:
    with Server(content) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def source(server, content, **changes):
    known = Official("ml-1m.zip", len(content), sha256=hashlib.sha256(content).hexdigest())
    address = f"http://127.0.0.1:{server.server_address[1]}/datasets/ml-1m.zip"
    source = SOURCES["movielens-1m"]
    return source._replace(address=address, edition=source.edition._replace(archive=known._replace(**changes)))


def inside(cache):
    folder = cache / "sources"
    return sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.exists() else []


def refusal(source):
    with pytest.raises(InputError) as caught:
        fetch(source)
    assert fetched(source) is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_downloaded_is_compared_read_and_kept(archive, cache):
    seen = []
    with serving(archive) as server:
        there = fetch(source(server, archive), progress=lambda done, whole: seen.append((done, whole)))
        assert (there.official, there.why, there.path.name) == (True, "", "ml-1m.zip")
        assert there.path.read_bytes() == archive
        log, _ = log_of(source(server, archive))
        assert len(log.frame.collect()) == 20_000
        assert log.notes[0].endswith("the official file.")
        assert (seen[0], seen[-1]) == ((0, len(archive)), (len(archive), len(archive)))
        assert fetch(source(server, archive)) == there
        assert server.ranges == [None]
    assert inside(cache) == ["movielens-1m"]
    names = ["checksums.json", "fetched.json", "log.parquet", "ml-1m.zip"]
    assert sorted(path.name for path in there.path.parent.iterdir()) == names


def test_a_lost_connection_is_resumed(archive, cache):
    with serving(archive) as server:
        server.cut_after = 100_000
        message = refusal(source(server, archive))
        assert f"was lost after 100,000 of {len(archive):,} bytes; the same command resumes there" in message
        assert inside(cache) == ["movielens-1m.part"]
        assert "lost after 200,000" in refusal(source(server, archive))
        server.cut_after = None
        seen = []
        there = fetch(source(server, archive), progress=lambda done, whole: seen.append(done))
        assert server.ranges == [None, "bytes=100000-", "bytes=200000-"]
        assert seen[0] == 200_000
    assert there.path.read_bytes() == archive
    assert inside(cache) == ["movielens-1m"]


def test_a_server_that_knows_no_ranges_sends_all_of_it_anew(archive):
    with serving(archive) as server:
        server.cut_after, server.knows_ranges = 100_000, False
        refusal(source(server, archive))
        server.cut_after = None
        assert fetch(source(server, archive)).path.read_bytes() == archive
        assert server.ranges == [None, "bytes=100000-"]


def part(source, content):
    folder = folder_of(source.name).parent
    folder.mkdir(parents=True)
    (folder / "movielens-1m.part").write_bytes(content)


def test_a_part_that_is_whole_is_not_asked_for_again(archive):
    with serving(archive) as server:
        part(source(server, archive), archive)
        assert fetch(source(server, archive)).official
        assert server.ranges == []


def test_a_part_that_is_longer_than_the_file_is_no_part_of_it(archive):
    with serving(archive) as server:
        part(source(server, archive), archive + b"more")
        assert fetch(source(server, archive)).official
        assert server.ranges == [None]


def test_a_part_beyond_the_end_where_the_size_is_not_known(archive):
    with serving(archive) as server:
        part(source(server, archive), archive + b"more")
        assert fetch(source(server, archive, size=None)).official
        assert server.ranges == [f"bytes={len(archive) + 4}-", None]


def test_a_part_of_something_else_is_found_out(archive, cache):
    with serving(archive) as server:
        part(source(server, archive), b"something else")
        assert "is not the official file: its sha256 is" in refusal(source(server, archive))
        assert inside(cache) == []
        assert fetch(source(server, archive)).official


def test_a_wrong_checksum_is_refused_and_nothing_is_left(archive, cache):
    with serving(archive) as server:
        message = refusal(source(server, archive, sha256="ab" * 32))
        mine = hashlib.sha256(archive).hexdigest()
        assert f"is not the official file: its sha256 is {mine}, that of ml-1m.zip is {'ab' * 32}" in message
        assert "`negsample data fetch movielens-1m --from FILE`" in message
        assert inside(cache) == []


def test_a_wrong_size_is_refused_before_it_is_downloaded(archive, cache):
    with serving(archive) as server:
        message = refusal(source(server, archive, size=5_917_549))
    assert f"has {len(archive):,} bytes, the official file has 5,917,549; `negsample data fetch" in message
    assert inside(cache) == []


def test_a_wrong_size_that_was_not_said_before(archive, cache):
    with serving(archive) as server:
        server.says_length = False
        message = refusal(source(server, archive, size=len(archive) - 1))
    assert f"it has {len(archive):,} bytes, ml-1m.zip has {len(archive) - 1:,}" in message
    assert inside(cache) == []


def test_an_address_that_has_nothing(archive, cache):
    with serving(archive) as server:
        server.status = 404
        message = refusal(source(server, archive))
    assert "answers 404 Not Found; `negsample data fetch movielens-1m --from FILE` takes a file" in message
    assert inside(cache) == []


def test_no_network(archive, cache):
    with serving(archive) as server:
        gone = source(server, archive)
    message = refusal(gone)
    assert message.startswith(f"{gone.address} cannot be reached (Connection refused); `negsample data fetch")
    assert inside(cache) == []


def test_two_at_once(archive, cache):
    with serving(archive) as server:
        folder_of(source(server, archive).name).mkdir(parents=True)
        with FileLock(cache / "sources" / ".movielens-1m.lock"):
            assert "another process is fetching movielens-1m just now" in refusal(source(server, archive))
        assert fetch(source(server, archive)).official


def test_a_cache_that_cannot_be_written(archive, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "file"))
    with serving(archive) as server, pytest.raises(InputError, match=r"cannot write to .*NEGSAMPLE_CACHE"):
        fetch(source(server, archive))
