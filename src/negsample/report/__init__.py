"""The report: a study's table, figures, words and page, from its folders alone; nothing here trains."""

from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.analysis.tables import study_table, write_table
from negsample.report.page import write_report

__all__ = ["Study", "read_study", "study_table", "write_report", "write_table"]
