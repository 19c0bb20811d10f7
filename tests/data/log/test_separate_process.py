"""A Parquet file is decoded in a separate process first: damage may crash it."""

from pathlib import Path

import polars as pl
import pytest

from negsample.data.log.read import read_log
from negsample.errors import InputError

TRIES_FIRST = True


def test_a_file_that_ends_what_decodes_it_is_refused():
    """A length in it says 2^60: no error of Polars, but a crash of the process."""
    with pytest.raises(InputError) as caught:
        read_log(Path(__file__).parent / "ends_its_reader.parquet", time_format="%Y%m%d")  # no look before the pass
    assert (
        "ends_its_reader.parquet cannot be read (the process that decoded it crashed with SIGABRT); check that"
        in str(caught.value)
    )


def test_a_whole_file_and_a_refused_one_are_read_in_this_process(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"user": [1], "item": ["NA"], "time": [10**9]}).write_parquet(path)
    assert read_log(path, keep_missing_ids=True).frame.collect().rows() == [(1, "NA", 10**15)]
    with pytest.raises(InputError, match="column 'item' is 'NA'"):
        read_log(path)
