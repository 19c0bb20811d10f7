"""The facts of a dataset say what models saw of it, and what its test events are."""

from make_study import manifest

from negsample.report.facts import dataset_facts


def facts_of(about, history):
    return {term: words.replace("\u202f", " ").replace("\xa0", " ") for term, words in dataset_facts(about, history)}


def test_facts_of_a_dataset_say_what_models_saw_and_what_repeats():
    about = manifest("shop")
    said = facts_of(about, "frozen")
    assert " events, 50.0 % of them seen in training (max_length 50); " in said["Train"]
    assert ", 4,029 on items that their user had before (50.0 % of those measured)" in said["Test"]
    assert said["Ties"].endswith("; 1,234 have the item, too, of another and count by themselves")
    assert "Weights" not in said
    assert "as much as column 'qty' of the log says" in facts_of(about | {"weight": "qty"}, "frozen")["Weights"]
    assert ", 4,533 on items" in facts_of(about, "rolling")["Test"]
