"""The part of a model card that says what the heatmaps are worth."""

from __future__ import annotations

from ml_model.inference.measured import Explanation
from ml_model.training.reports.markdown import figure, section, table

# By name in the manifest: title, name of what chance gives, name of the difference.
ROWS = {
    "deletion": ("deletion (lower is better)", "deletion_random", "deletion_gain"),
    "insertion": ("insertion (higher is better)", "insertion_random", "insertion_gain"),
    "mass_inside_mask": ("share of the heatmap on the lesion", "mask_area", "mass_gain"),
    "pointing_game": ("strongest place on the lesion", "mask_area", "pointing_gain"),
}


def explanation_section(told: Explanation | None) -> str:
    """Deletion, insertion and lesion outlines beside chance; empty where nothing was measured."""
    if told is None:
        return ""
    rows = [
        [title, *(figure(getattr(told, key)) for key in (name, chance, gain))]
        for name, (title, chance, gain) in ROWS.items()
        if getattr(told, name)
    ]
    measured = f"{told.pictures} test pictures ({told.empty_maps} with an empty heatmap)"
    text = f"""\
A heatmap shows influence, not location: which places raised the score of the named class, right or wrong.
On {measured} its places were blurred, the strongest first (deletion), or
laid bare one by one on a blurred copy (insertion); the figure is the mean probability of the class on the way, and
chance is the same in random order. The gain is over chance, picture by picture: where its interval holds 0, the heatmap
says no more than chance does."""
    found = table(["", "heatmap", "chance", "gain"], rows)
    return section("What the heatmaps are worth", text, _lesions(told), found, level=3)


def _lesions(told: Explanation) -> str:
    """What the figures on lesion outlines mean; empty where there are none."""
    if told.lesions is None:
        return ""
    return f"""\
Of these, {told.lesions} have outlined lesions: how much of the heatmap lies on the lesion, and how often its
strongest place does. Chance is the lesion's share of the picture."""
