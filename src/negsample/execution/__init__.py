"""Where and in which processes the work of a study is done."""
