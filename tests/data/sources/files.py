"""Small files as publishers have them, and what becomes of them."""

import zipfile

import pytest

from negsample.data.sources.catalogue import SOURCES
from negsample.data.sources.fetch import fetch
from negsample.data.sources.fetched import fetched, folder_of, log_of
from negsample.errors import InputError


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def zipped(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def with_file(source, file):
    return source.edition._replace(files=(file,))


def rows(name):
    return log_of(SOURCES[name])[0].frame.collect().rows()


def refusal(name, path):
    with pytest.raises(InputError) as caught:
        fetch(SOURCES[name], path)
    assert fetched(SOURCES[name]) is None
    assert not folder_of(name).exists(), "something was kept"
    assert "\n" not in str(caught.value)
    return str(caught.value)
