"""`negsample report A B --out FOLDER`: one page of several studies."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest
from several_studies import made


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return [study.folder for study in made(tmp_path_factory.mktemp("pair"), "two-studies").studies]


def test_two_studies_of_a_log(negsample, pair, tmp_path):
    finished = negsample("report", *pair, "--out", tmp_path / "page", "--json")
    assert finished.returncode == 0
    found = json.loads(finished.stdout)
    assert found["report"] == str(tmp_path / "page" / "report.html")
    assert (tmp_path / "page" / "report.html").exists()
    (said,) = found["said"].values()
    assert said[0].startswith("From before to after, NDCG@10 on test is ")
    assert {row["measure"] for row in found["changes"]} == {"ndcg@10", "tail_hr@10", "balance@10"}
    assert found["over_logs"] == []
    assert negsample("verify", tmp_path / "page").returncode == 0


def test_one_study_of_several_logs_says_on_the_terminal_what_its_page_says_first(negsample, tmp_path):
    study, _ = made(tmp_path, "logs-and-studies").studies
    finished = negsample("report", study.folder, "--json")
    assert finished.returncode == 0
    said = " ".join(" ".join(json.loads(finished.stdout)["over_logs"]).split())
    assert said.count(".") >= 2
    page = unescape(re.sub("<[^>]*>", "", (study.folder / "report.html").read_text()))
    assert said.replace("`", "") in " ".join(page.split())
    assert f"Over the logs: {said}" in " ".join(negsample("report", study.folder).stdout.split())


def test_what_cannot_be_is_refused(negsample, pair, tmp_path):
    for arguments, words in (
        ([*pair], "2 studies are given, and no folder for their page; add --out FOLDER"),
        ([pair[0], "--out", tmp_path / "x"], "--out is for the page of several studies, and one is given"),
        ([*pair, "--paper", "--out", tmp_path / "x"], "--paper is for one study, and several are given"),
        ([pair[0], pair[0], "--out", tmp_path / "x"], "is given twice; give each study once"),
        ([*pair, "--out", pair[0]], "holds something else; choose another --out"),
        ([pair[0], tmp_path / "none", "--out", tmp_path / "x"], "does not exist"),
    ):
        refusal = negsample("report", *arguments)
        assert (refusal.returncode, refusal.stdout) == (2, "")
        assert words in refusal.stderr.replace("\n", " ")
        assert len(refusal.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "x").exists()
