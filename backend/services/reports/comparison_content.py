"""What a report says of the record before it."""

from __future__ import annotations

from collections.abc import Iterator

from backend.schemas.scans.comparison import Comparison
from backend.services.reports.blocks import Block, Grid, Section, Words

_TOLD_FROM = 0.05  # difference in scale


def comparison_sections(since: Comparison | None) -> Iterator[Section]:
    """Nothing without one."""
    if since is None:
        return
    blocks: list[Block] = [Words(since.summary)]
    if since.findings:
        rows = tuple((one.name, f"{one.before:.1%}", f"{one.after:.1%}", one.note) for one in since.findings)
        blocks.append(Grid(("Finding", "Before", "Now", "What that means"), rows, (0.25, 0.1, 0.1, 0.55)))
    yield Section("Since the study before", (*blocks, Words(picture_by_picture(since)), Words(since.note, small=True)))


def picture_by_picture(since: Comparison) -> str:
    """What region and map show, or why they are not compared."""
    if not since.registered:
        return f"The pictures were not laid on each other: {since.not_registered_because}."
    told = [f"The pictures lie on each other{_otherwise_taken(since)}."]
    if (region := since.region) is not None:
        told.append(f"The region of interest covers {region.ratio:.2f} times the share of the picture that it covered.")
        told.append(_against(region.within_repeats, f"by up to {region.limit_ratio or 0:.2f} times"))
    if since.map_correlation is not None:
        told.append(f"The activation maps correlate by {since.map_correlation:.2f}.")
        told.append(_against(since.map_within_repeats, f"down to {since.least_map_correlation or 0:.2f}"))
    return " ".join(told)


def _otherwise_taken(since: Comparison) -> str:
    scale = since.scale or 1.0
    return f", the later one {scale:.2f} times as large" if abs(scale - 1) >= _TOLD_FROM else ""


def _against(within: bool | None, limit: str) -> str:
    if within is None:
        return "Whether repeated pictures of the same vary as much is not known."
    if within:
        return f"Repeated pictures of the same vary as much ({limit}): no change is established."
    return f"That is more than repeated pictures of the same show in 95 of 100 cases ({limit})."
