"""What changed from one study to the next: scores against the noise of repeated pictures, region and map where the
pictures lie on each other. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from backend.schemas.scans.comparison import Comparison, FindingChange, RegionChange
from backend.services.longitudinal.registration import LEAST_SIMILARITY, Picture, Registration, correlation, register
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
_MOVES_SCORES = ("age_years", "modality", "pixel_size_um", "view", "window")  # beside the picture
_STATES = {"ruled_out": "ruled out", "indeterminate": "not ruled out", "suspected": "suspected"}
_NOT_MEASURED = "that was not measured of this model"
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


@dataclass(frozen=True)
class Laid:
    """reason: why the pictures do not lie on each other, None where they do; then what became of region and map, and
    how far the middle moved, right and down in pixels of the later upload."""

    reason: str | None
    found: Registration | None = None
    shift_px: tuple[float, float] | None = None
    region: RegionChange | None = None
    map_correlation: float | None = None


def compared(since: uuid.UUID, task: str, before: KeptAnswer, after: KeptAnswer, laid: Laid) -> Comparison:
    """What the answers say, and what the pictures show."""
    why_not = _why_not_held(before, after)
    findings = tuple(_finding_changes(task, before, after, why_not))
    known = repeats_of(task, after.model.sha256) if why_not is None else Repeats()
    region, maps, least = laid.region, laid.map_correlation, known.map_correlation
    if region and known.ratio is not None:
        within = max(region.ratio, 1 / region.ratio) <= known.ratio
        region = region.model_copy(update={"limit_ratio": round(known.ratio, 4), "within_repeats": within})
    lies = laid.found if laid.reason is None else None
    return Comparison(
        since=since,
        findings=findings,
        no_limits_because=why_not,
        registered=laid.reason is None,
        not_registered_because=laid.reason,
        shift_px=laid.shift_px,
        scale=round(lies.scale, 3) if lies else None,
        turn_degrees=round(lies.turn_degrees, 1) + 0.0 if lies else None,
        similarity=round(laid.found.similarity, 4) if laid.found else None,
        region=region,
        map_correlation=maps,
        least_map_correlation=round(least, 4) if maps is not None and least is not None else None,
        map_within_repeats=maps >= least if maps is not None and least is not None else None,
        summary=_summary(before, after, findings),
        note=NOTE,
    )


def laid_on_each_other(before: Seen, after: Seen) -> Laid:
    """How they lie, and where they do how the region changed and the maps correlate."""
    found = register(before.picture, after.picture)
    if not found.alike:
        return Laid(
            f"they are not alike enough to lie on each other (similarity {max(found.similarity, 0):.2f}, "
            f"{LEAST_SIMILARITY:.2f} is needed): another place or view, or taken otherwise", found,
        )  # fmt: skip
    sides = after.heatmap.original_width_px, after.heatmap.original_height_px
    right, down = (round(share * side, 1) for share, side in zip(found.shift, sides, strict=True))
    maps = correlation(
        map_over(before.heatmap, found.earlier_size), found.back(map_over(after.heatmap, found.later_size))
    )
    together = None if maps is None else round(maps, 4)
    return Laid(None, found, (right, down), _region_change(before, after), together)


def _why_not_held(before: KeptAnswer, after: KeptAnswer) -> str | None:
    """Why the two cannot be held against what repeated pictures show; None where they can. Repeats differ in nothing
    but the picture."""
    studies = before, after
    if before.model.sha256 != after.model.sha256:
        return "another model answered the earlier study"
    if before.provenance.preprocessing_sha256 != after.provenance.preprocessing_sha256:
        return "the earlier picture was prepared in another way"
    if any(len(one.provenance.input_sha256) != 1 for one in studies):
        return "it was measured of single pictures, and one of these is of several"
    if any(one.model.age_told_by == "dicom" for one in studies):
        return "the age that was taken into account is of a header, and not kept"
    asked, asked_now = ({name: one.provenance.request.get(name) for name in _MOVES_SCORES} for one in studies)
    if differs := [name for name in _MOVES_SCORES if asked[name] != asked_now[name]]:
        return f"they were not asked alike (another {', '.join(differs)})"
    judged = {(one.model.judged_as, one.model.age_told_by) for one in studies}
    return "they were judged by the thresholds of different groups" if len(judged) > 1 else None


def view_of(answer: KeptAnswer) -> tuple[str, ...]:
    """What was told of the view: projection and side."""
    dicom = answer.input_check.dicom[0] if answer.input_check and answer.input_check.dicom else None
    told = (answer.model.view or (dicom.view if dicom else None), dicom.laterality if dicom else None)
    return tuple(one or "" for one in told)


def _finding_changes(
    task: str, before: KeptAnswer, after: KeptAnswer, why_not: str | None
) -> Iterator[FindingChange]:  # fmt: skip
    earlier = {one.code: one for one in before.findings}
    for now in after.findings:
        if (then := earlier.get(now.code)) is None:
            continue
        change = change_of(then.probability, now.probability)
        noise = noise_of(task, after.model.sha256, now.code) if why_not is None else None
        within = abs(change) <= noise.limit if noise else None
        if noise is None:
            note = f"Whether repeated pictures show such a change is not known: {why_not or _NOT_MEASURED}."
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
