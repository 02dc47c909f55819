"""What changed from one study to the next: scores against the noise of repeated pictures, region and map where the
pictures lie on each other. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.schemas.scans.comparison import Comparison, FindingChange, RegionChange
from backend.services.longitudinal.registration import SIDE_PX, Picture, Registration, register
from backend.services.longitudinal.repeats import Repeats, repeats_of
from backend.services.rendering.heatmaps import Heatmap
from backend.services.reports.kept_answer import KeptAnswer
from backend.services.scans.region_of_interest import map_over, region_of
from ml_model.tasks.repeatability import change_of, noise_of
from ml_model.tasks.triage_scale import LEVELS

NOTE = (
    "A score says how sure the model is of a picture, not how large a lesion is: a change of it is no growth, and "
    "without one something may have grown. Light, distance, angle, pressure and machine move scores, regions and maps. "
    "Let who treats the person compare the pictures themselves."
)
_STATES = {"ruled_out": "ruled out", "indeterminate": "not ruled out", "suspected": "suspected"}
_GRAVITY = {"ruled_out": 0, "indeterminate": 1, "suspected": 2}


@dataclass(frozen=True)
class Seen:
    """A study: picture RGB (height, width, 3), its map, and the size of a pixel of the upload in square millimetres,
    where it is known."""

    picture: Picture
    heatmap: Heatmap
    pixel_mm2: float | None

    @property
    def upload_px(self) -> int:
        """Pixels of the whole upload."""
        return self.heatmap.original_width_px * self.heatmap.original_height_px


def compared(
    since: uuid.UUID, task: str, before: KeptAnswer, after: KeptAnswer, studies: tuple[Seen, Seen] | str
) -> Comparison:
    """studies: the earlier and the later; or why they cannot be laid on each other."""
    findings = tuple(_finding_changes(task, before, after))
    same_model = before.model.sha256 == after.model.sha256
    known = repeats_of(task, after.model.sha256) if same_model else Repeats()
    laid, region, maps = (None, None, None) if isinstance(studies, str) else laid_on_each_other(*studies)
    reason = studies if isinstance(studies, str) else laid.reason if laid else None
    shift = None
    if laid and reason is None and not isinstance(studies, str):
        later = studies[1].heatmap
        shift = (round(laid.shift[0] * later.original_width_px, 1), round(laid.shift[1] * later.original_height_px, 1))
    if region and known.ratio is not None:
        within = max(region.ratio, 1 / region.ratio) <= known.ratio
        region = region.model_copy(update={"limit_ratio": round(known.ratio, 4), "within_repeats": within})
    least = known.map_correlation if maps is not None else None
    return Comparison(
        since=since,
        findings=findings,
        registered=reason is None,
        not_registered_because=reason,
        shift_px=shift,
        similarity=round(laid.similarity, 4) if laid and laid.similarity else None,
        region=region,
        map_correlation=maps,
        least_map_correlation=round(least, 4) if least is not None else None,
        map_within_repeats=maps >= least if maps is not None and least is not None else None,
        summary=_summary(before, after, findings),
        note=NOTE,
    )


def laid_on_each_other(before: Seen, after: Seen) -> tuple[Registration, RegionChange | None, float | None]:
    """How they lie, and where they do how the region changed and the maps correlate."""
    laid = register(before.picture, after.picture)
    if laid.reason is not None:
        return laid, None, None
    return laid, _region_change(before, after), _map_correlation(before, after, laid)


def view_of(answer: KeptAnswer) -> tuple[str, ...]:
    """What was told of the view: projection and side."""
    dicom = answer.input_check.dicom[0] if answer.input_check and answer.input_check.dicom else None
    told = (answer.model.view or (dicom.view if dicom else None), dicom.laterality if dicom else None)
    return tuple(one or "" for one in told)


def _finding_changes(task: str, before: KeptAnswer, after: KeptAnswer) -> Iterator[FindingChange]:
    earlier = {one.code: one for one in before.findings}
    same_model = before.model.sha256 == after.model.sha256
    for now in after.findings:
        if (then := earlier.get(now.code)) is None:
            continue
        change = change_of(then.probability, now.probability)
        noise = noise_of(task, after.model.sha256, now.code) if same_model else None
        within = abs(change) <= noise.limit if noise else None
        if noise is None:
            of_another = "they are of two models" if not same_model else "that was not measured of this model"
            note = f"Whether repeated pictures show such a change is not known: {of_another}."
        else:
            kind = f"{noise.pairs} repeats measured ({noise.kind})"
            note = (
                f"Within what repeated pictures of the same show, by {kind}: no change is established."
                if within else f"More than repeated pictures of the same show in 95 of 100 cases, by {kind}."
            )  # fmt: skip
        yield FindingChange(
            code=now.code, name=now.name, before=then.probability, after=now.probability, state_before=then.state,
            state_after=now.state, change_log_odds=round(change, 4),
            limit_log_odds=round(noise.limit, 4) if noise else None, within_repeats=within, note=note,
        )  # fmt: skip


def _region_change(before: Seen, after: Seen) -> RegionChange | None:
    """The region of each, as its share of the picture."""
    first, then = region_of(before.picture, before.heatmap), region_of(after.picture, after.heatmap)
    if first is None or then is None:
        return None
    shares = float(first.mask.mean()), float(then.mask.mean())
    areas = shares[0] * before.upload_px, shares[1] * after.upload_px
    sizes = (
        round(px * one.pixel_mm2, 4) if one.pixel_mm2 else None for px, one in zip(areas, (before, after), strict=True)
    )
    before_mm2, after_mm2 = sizes
    return RegionChange(
        before_px=round(areas[0], 1), after_px=round(areas[1], 1), before_mm2=before_mm2, after_mm2=after_mm2,
        ratio=round(shares[1] / shares[0], 4), limit_ratio=None, within_repeats=None,
    )  # fmt: skip


def _map_correlation(before: Seen, after: Seen, laid: Registration) -> float | None:
    """Of both maps over the earlier picture; None where one of them is flat."""
    height, width = before.picture.shape[:2]
    scale = SIDE_PX / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    first, moved = map_over(before.heatmap, size), laid.back(map_over(after.heatmap, size))
    both: NDArray[np.bool_] = np.isfinite(moved)
    if not both.any() or not first[both].std() or not moved[both].std():
        return None
    return round(float(np.corrcoef(first[both], moved[both])[0, 1]), 4)


def _summary(before: KeptAnswer, after: KeptAnswer, findings: tuple[FindingChange, ...]) -> str:
    """In a sentence or two: how soon to act first."""
    risen = LEVELS.index(after.triage.level) - LEVELS.index(before.triage.level)
    acted = "as urgent as" if not risen else "more urgent than" if risen > 0 else "less urgent than"
    told = [f"This study is {acted} the one before ({before.triage.level}, now {after.triage.level})."]
    for one in findings:
        if one.state_before != one.state_after:
            worse = _GRAVITY[one.state_after] > _GRAVITY[one.state_before]
            noise = ", by a change that repeated pictures of the same show as well" if one.within_repeats else ""
            said = f"{one.name}: {_STATES[one.state_before]} before, {_STATES[one.state_after]} now{noise}."
            told.append(said[0].upper() + said[1:])
            if not worse:
                told.append("That alone is no reason to watch it less.")
    return " ".join(told)
