"""The report: a study's table, figures, words and page, from its folders alone; nothing here trains."""

from negsample.report.page import write_report as write_report
from negsample.report.several import write_joint_report as write_joint_report
