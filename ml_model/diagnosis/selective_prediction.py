"""When an answer should abstain: selective prediction. Pure."""

from __future__ import annotations

# Of a gate's way from its threshold to certainty: a picture that scores no further along it is a near miss.
GATE_EDGE = 0.1


def reasons_to_abstain(labels: int, in_question: int, gate: tuple[float, float] | None, unfamiliar: bool) -> list[str]:
    """Why this answer should not be leant on, as sentences; empty where nothing speaks against it.

    labels: how many are measured. in_question: how many of them the prediction set holds. gate: the score of the
    expected kind and the threshold it had to reach, where the kind was looked at. unfamiliar: further from the
    training pictures than nearly all of those that validate.
    """
    reasons = []
    if not in_question:
        reasons.append("The picture is typical of none of the classes.")
    elif in_question > labels / 2:
        reasons.append(f"{in_question} of {labels} possible findings cannot be told apart on this picture.")
    if gate and gate[0] < gate[1] + GATE_EDGE * (1 - gate[1]):
        reasons.append("The picture was only just taken for one of the kind that is read here.")
    if unfamiliar:
        reasons.append("The picture is unlike those that the model learnt from.")
    return reasons
