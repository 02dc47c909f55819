"""The symptom checker: what is said in words to findings, findings to conditions, urgency and the next question.

Reads the knowledge under `ml_model/tasks`; knows nothing of HTTP, pictures or training. May import errors, tasks,
inputs, inference and tabular of ml_model.
"""
