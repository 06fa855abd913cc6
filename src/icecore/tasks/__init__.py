"""Tasks: what can be learned of a target: one class, several labels, a class in an order, or a number.

A task is one small object. It turns what the data say into arrays that heads learn from, says which heads serve it and
by which score one is chosen, what a fitted head says of a row, and by which figures that is judged. So whoever chooses,
fits, scores or predicts asks the task, and nobody asks which task it is.
"""

from __future__ import annotations

from icecore.tasks.base import AnyHead, Task, TaskName, as_task
from icecore.tasks.classification import Classification
from icecore.tasks.learning import TASKS, guessed, learned, remarks, task_of
from icecore.tasks.multilabel import Multilabel, answer, labels_in
from icecore.tasks.ordinal import Ordinal
from icecore.tasks.regression import Regression

__all__ = [
    "TASKS",
    "AnyHead",
    "Classification",
    "Multilabel",
    "Ordinal",
    "Regression",
    "Task",
    "TaskName",
    "answer",
    "as_task",
    "guessed",
    "labels_in",
    "learned",
    "remarks",
    "task_of",
]
