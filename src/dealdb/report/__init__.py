"""
The report: what happened, what is open and what to look at, as one file for people who have no terminal.

The order of the parts; nothing imports from a part behind it:
span → evidence → parts → quality → ranked → brief, outlook → sections → contents → writing → report.
"""

from __future__ import annotations

from dealdb.report.report import Report, report_of

__all__ = ["Report", "report_of"]
