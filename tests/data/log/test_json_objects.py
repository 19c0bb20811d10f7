"""Objects inside of a line of JSON: their fields are columns."""

import json

import pytest

from negsample.data.log.read import read_log
from negsample.errors import InputError

BASE = 1_396_310_400


def test_fields_of_objects_inside_of_json_are_columns(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [
        {"user": {"id": f"u{number}", "plan": {"id": 7}}, "item": {"id": number, "tags": ["x"]}, "at.utc": BASE}
        | {"sent": {"$date": f"2014-04-0{number}T00:00:00Z"}, "item.id": "of the log itself" if number == 3 else None}
        for number in (1, 2, 3)
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_log(log, time="sent.$date")
    assert found.notes[0] == "Guessed from the names: user from column 'user.id', item from column 'item.id'."
    assert found.frame.collect()["user"].to_list() == ["u1", "u2", "u3"]
    assert found.frame.collect()["item"].to_list() == ["1", "2", "of the log itself"]
    assert read_log(log, time="at.utc", user="user.plan.id").frame.collect()["user"].to_list() == ["7"] * 3
    with pytest.raises(InputError, match=r"no column 'item.tags' for the item; its columns are: user.id, user.plan.id"):
        read_log(log, time="at.utc", item="item.tags")
    lines[1]["user"]["plan"]["id"] = {"of": 1}
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(InputError, match=r"log.jsonl, line 2: 'user.plan.id' is .*'of': 1.*no lists, objects"):
        read_log(log, time="at.utc", user="user.plan.id")


def test_objects_with_ever_other_fields_are_data(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [
        {"scores": {f"k{100 * number + each}": 1 for each in range(100)}, "user": number, "item": 1, "time": BASE}
        for number in range(100)
    ]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_log(log).frame.collect()["user"].to_list() == [str(number) for number in range(100)]
    with pytest.raises(InputError, match=r"no column 'scores.k9999' for the item; its columns are: scores.k0, .* more"):
        read_log(log, item="scores.k9999")
