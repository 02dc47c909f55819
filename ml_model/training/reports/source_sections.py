"""The card's sections on the data sets: told apart, seen in the embedding and in the frame, cross-validated."""

from __future__ import annotations

from ml_model.diagnosis.population import MIN_PROBABILITY
from ml_model.inference.measured import Brief, Crossed, External, ImageMetrics, ImageTest
from ml_model.training.reports.markdown import COMPARED, FIGURES, figure, figures_of, section, table


def populations_section(test: ImageTest) -> str:
    """How well the picture alone tells the population; empty for a task with one population."""
    told = test.populations_told
    if not told:
        return ""
    names = list(next(iter(told.values())))
    rows = [[source, *(f"{shares[name]:.3f}" for name in names)] for source, shares in told.items()]
    text = f"""\
Share of each source's test pictures, told from the picture at a probability of {MIN_PROBABILITY} or more. What is
told apart are the data sets: children's films of another hospital may look different."""
    named = ["source", *(f"judged for {name}" if name != "not told" else name for name in names)]
    title = "Which population a picture is judged for when no age is given"
    return section(title, text, table(named, rows), level=3)


def sources_section(test: ImageTest) -> str:
    """How far the data set shows in the embedding; empty where no label is shared."""
    told = test.source_told_by_embedding
    if not told:
        return ""
    rows = [[label.replace("+", " or "), str(row.count), f"{row.auc:.3f}"] for label, row in told.items()]
    text = """\
AUC with which a linear model tells the data sets apart from the embedding, within one label (.5: not at all). Where
it is high, a picture's origin may have moved the answer."""
    found = table(["label", "n", "AUC of the source"], rows)
    return section("Whether the model sees where a picture comes from", text, found, level=3)


def frame_section(metrics: ImageMetrics, test: ImageTest) -> str:
    """What the frame of the picture tells by itself; empty where it was not measured."""
    if not metrics.frame_only:
        return ""
    rows = []
    for name, row in metrics.frame_only.items():
        whole = test.part(row.population, row.view)
        rows.append([name, str(row.count), figure(row.macro_auc), figure(whole.macro_auc if whole else None)])
    text = """\
A linear model of the outer tenth of the picture on each side, trained on the same data. What it reaches owes nothing
to the organ: lines, letters, arms and collimation tell the classes apart so far."""
    found = table(["group", "n", "macro AUC of the frame", "macro AUC of the model"], rows)
    return section("What the frame of the picture tells by itself", text, found, level=3)


def crossed_section(crossed: Crossed | None) -> str:
    """Cross-validation of a data set too small for a split; empty where there is none."""
    if crossed is None:
        return ""
    by_name = {"model": crossed.model, "colour only": crossed.colour_only}
    rows = [[name, str(row.count), *figures_of(row, FIGURES)] for name, row in by_name.items()]
    text = f"""\
{crossed.folds} folds by group; each picture is answered by a model that saw none of its group. Beside it what the
mean and the deviation of the colours tell by themselves."""
    return section(f"{crossed.source}, cross-validated", text, table(["", "n", *FIGURES], rows), level=3)


def left_out_section(left_out: dict[str, Brief] | None) -> str:
    """What a model does on a data set that it was trained without; empty where that was not measured."""
    if not left_out:
        return ""
    rows = [[name, str(row.count), figure(row.macro_auc)] for name, row in left_out.items()]
    text = """\
The same training without one data set, measured on that set's training and validation pictures: what is to be expected
where nobody trained."""
    return section("A data set left out", text, table(["data set", "n", "macro AUC"], rows), level=3)


def external_section(external: dict[str, External] | None) -> str:
    """What the model does on sets of other places; it says so where there were none to measure it on."""
    title = "Abroad: sets of other places"
    if external is None:  # of a bundle that was made before
        return ""
    if not external:
        return section(title, "Not measured abroad.", level=3)
    rows = []
    for name, row in external.items():
        judged = "yes" if row.judged else "too few cases to judge"
        rows.append([name, str(row.count), str(row.groups), *figures_of(row, COMPARED), judged])
    text = """\
Never trained on and used for no threshold, in the labels that each set measures. Where every label has 25 cases or
more, the worse of home and abroad is the evidence."""
    found = table(["set", "n", "groups", *COMPARED, "counts towards the evidence"], rows)
    return section(title, text, found, level=3)
