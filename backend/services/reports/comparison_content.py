"""What a report says of the record before it."""

from __future__ import annotations

from collections.abc import Iterator

from backend.schemas.scans.comparison import Comparison
from backend.services.reports.blocks import Block, Grid, Section, Words


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
    told = ["The pictures lie on each other."]
    if since.region:
        size = f"{since.region.ratio:.2f} times"
        told.append(f"The region of interest covers {size} the share of the picture that it covered before; how much "
                    "that varies between pictures of one thing was not measured.")  # fmt: skip
    if since.map_correlation is not None:
        told.append(f"The activation maps correlate by {since.map_correlation:.2f}.")
    return " ".join(told)
