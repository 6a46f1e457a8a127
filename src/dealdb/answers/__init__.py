"""
What results say to people: a few sentences in answer to the question of their metric, and names of their figures.

The order of the parts; nothing imports from a part behind it:
labels, asked → people, movement, outcomes, predictions, stages → answer.
"""

from __future__ import annotations

from dealdb.answers.answer import answer_of
from dealdb.answers.labels import LABELS

__all__ = ["LABELS", "answer_of"]
