"""How well the input gate tells kinds of picture apart: who is accepted where, as a table and as a card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ml_model.inference.measured import TrainingCost
from ml_model.inference.measured_tabular import GateTest
from ml_model.input_gate.modality_classifier import OTHER, ModalitySpec
from ml_model.training.data.samples import DRAWN, Sample
from ml_model.training.reports.markdown import document, section, table


def gate_figures(
    probabilities: NDArray[np.floating],
    samples: Sequence[Sample],
    codes: Sequence[str],
    thresholds: Mapping[str, float],
) -> GateTest:
    """Share accepted, by the kind asked for and the kind (or sort of other picture) that was sent."""
    sent = {s.label if s.label != OTHER else s.source for s in samples}
    rows = {name: [i for i, s in enumerate(samples) if name in (s.label, s.source)] for name in sent}
    order = [*(c for c in codes if c in sent), *sorted(sent - set(codes))]
    accepted = {
        asked: {name: float((probabilities[rows[name], codes.index(asked)] >= t).mean()) for name in order}
        for asked, t in thresholds.items()
    }
    predicted = probabilities.argmax(axis=1)
    truth = np.array([codes.index(s.label) for s in samples])
    return GateTest(
        accepted={asked: {k: round(v, 4) for k, v in row.items()} for asked, row in accepted.items()},
        count={name: len(rows[name]) for name in order},
        most_probable_kind_right=round(float((predicted == truth).mean()), 4),
        worst_own_accepted=min(row[asked] for asked, row in accepted.items()),
        worst_other_accepted=max(v for asked, row in accepted.items() for name, v in row.items() if name != asked),
    )


def acceptance_table(figures: GateTest) -> str:
    """Rows are what was sent, columns what was asked for."""
    asked = list(figures.accepted)
    rows = [
        [name.removeprefix(DRAWN), str(count), *(f"{figures.accepted[a][name]:.3f}" for a in asked)]
        for name, count in figures.count.items()
    ]
    return table(["sent", "n", *(a.replace("_", " ") for a in asked)], rows)


def gate_card(spec: ModalitySpec, figures: GateTest, training: TrainingCost, thresholds: Mapping[str, float]) -> str:
    """The gate's card."""
    chosen = table(["kind", "accepted from"], [[spec.kinds[code], f"{t:.3f}"] for code, t in thresholds.items()])
    what = f"""\
Which kind of picture an upload is, before any diagnosis: a small network over {len(spec.kinds)} kinds. A picture is
accepted by a task when the probability of the task's kind reaches a threshold; else it is refused with what it looks
like. {training.pictures} training pictures, {training.minutes} minutes. Licence: {spec.licence}."""
    rows = "Rows are what was sent, columns the kind that was asked for. Documents and the sorts below them are drawn."
    right = f"The most probable kind is the right one for {figures.most_probable_kind_right:.4f} of them."
    limits = f"""\
A kind that it was not shown (another organ, another projection, photographs of skin with a phone) may be taken for the
kind nearest to it. It looks at the whole picture at {spec.input.width_px} x {spec.input.height_px} pixels and cannot
tell a small inset, nor whether a picture was altered."""
    return document(
        "Input gate",
        what,
        section("Share of test pictures accepted", rows, acceptance_table(figures), right),
        section("Thresholds, chosen on validation", chosen),
        section("Limits", limits),
    )
