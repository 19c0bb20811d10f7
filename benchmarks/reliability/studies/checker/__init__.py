"""Whether a report says what is so: from the files of a study, by numpy and scipy, and nothing of negsample."""
