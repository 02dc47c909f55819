"""Operating points that a site has chosen for itself: a JSON file, read strictly, and whether it fits a bundle.

What is wrong with a part of it leaves that part out; the bundle's own thresholds then serve.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ml_model.errors import MediDiagnoseError
from ml_model.inference.bundle import Bundle, FindingThresholds, Manifest
from ml_model.inference.files import read_small_file, write_whole
from ml_model.inference.interval import Interval
from ml_model.inference.local.thresholds import shipped_thresholds, with_thresholds
from ml_model.inference.measured_findings import FindingMeasured, LocalOrigin

FORMAT_VERSION: Literal[1] = 1
MOST_BYTES = 1_000_000
MOST_PARTS = 64
NOT_HERE = "the site's own operating points never rule it out"
Share = Annotated[float, Field(ge=0, le=1)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class LocalPointsInvalid(MediDiagnoseError):
    """A file of local operating points, or a part of it, cannot be used."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class LocalShare(_Strict):
    """A share of the site's cases, cross-fitted, with its 95 % interval."""

    value: Share
    low: Share
    high: Share


class LocalFigures(_Strict):
    """Of `count` cases with the finding, and of those without: see FindingMeasured."""

    count: int = Field(ge=1)
    auc: LocalShare
    sensitivity: LocalShare
    suspected: LocalShare
    specificity: LocalShare
    ruled_out: LocalShare


class LocalPoint(_Strict):
    """Thresholds of one finding, 0-1: see FindingThresholds, whose other fields are the bundle's. rule_out_below: None
    where it is never ruled out. groups: that they were chosen on."""

    rule_out_below: float | None = Field(ge=0, le=0.5)
    rule_in_from: Share
    groups_with: int = Field(ge=1)
    groups_without: int = Field(ge=1)
    sensitivity_at_least: Share
    specificity_at_least: Share
    measured: LocalFigures


class LocalPoints(_Strict):
    """For one bundle, by key of what is judged apart (`Judgement.judged_as`, "" where nothing is known) and finding.
    task: the bundle's id; model_sha256: of its manifest. cases, groups: that were measured, of `data`."""

    task: Line
    model_sha256: Sha256
    made_by: Line
    made_on: date
    data: Line
    cases: int = Field(ge=1)
    groups: int = Field(ge=1)
    findings: dict[str, dict[str, LocalPoint]] = Field(min_length=1, max_length=MOST_PARTS)

    @property
    def sha256(self) -> str:
        """Of what it says, however the file is laid out: answers that were held against it name it."""
        told = json.dumps(self.model_dump(mode="json"), sort_keys=True, allow_nan=False)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True)
class LocalSettings:
    """points: by bundle. problems: why parts of the file are not used, by bundle, or by their place in the file."""

    points: Mapping[str, LocalPoints]
    problems: Mapping[str, str]


def read_local_settings(path: Path) -> LocalSettings:
    """Raises LocalPointsInvalid where nothing of the file can be used."""
    parts = _parts(path)
    points, problems = dict[str, LocalPoints](), dict[str, str]()
    for place, part in enumerate(parts, 1):
        named = part.get("task") if isinstance(part, dict) else None
        name = named if isinstance(named, str) and 0 < len(named) <= 64 else f"part {place}"
        try:
            told = LocalPoints.model_validate_json(json.dumps(part))
        except (ValidationError, RecursionError) as error:
            problems[name] = _first(error)
            continue
        if told.task in points:
            problems[name] = "two parts of the file are for it; keep one"
        points[told.task] = told
    return LocalSettings({name: own for name, own in points.items() if name not in problems}, problems)


def _parts(path: Path) -> list[Any]:
    try:
        content = json.loads(read_small_file(path, MOST_BYTES))
    except OSError as error:
        raise LocalPointsInvalid(f"{path.name}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise LocalPointsInvalid(f"{path.name}: is not valid JSON: {error}") from error
    known = {"format_version", "operating_points"}
    if not isinstance(content, dict) or set(content) != known or content["format_version"] != FORMAT_VERSION:
        raise LocalPointsInvalid(
            f"{path.name}: received no object of format_version {FORMAT_VERSION} and operating_points alone; write it "
            "with python -m ml_model.audit --evaluate CASES --task TASK --write FILE"
        )
    parts = content["operating_points"]
    if not isinstance(parts, list) or not 1 <= len(parts) <= MOST_PARTS:
        raise LocalPointsInvalid(f"{path.name}: operating_points: expected a list of 1 to {MOST_PARTS} parts")
    return parts


def _first(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    told = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in told['loc'])[:120]}: {told['msg']}"


def with_local_points(bundle: Bundle, points: LocalPoints) -> Bundle:
    """The bundle, held against the site's thresholds. Raises LocalPointsInvalid where they are not for it."""
    manifest = bundle.manifest
    if points.model_sha256 != bundle.sha256:
        raise LocalPointsInvalid(
            f"local operating points for the model {points.model_sha256[:12]}… are not used: {bundle.sha256[:12]}… "
            "answers; measure this one on your cases"
        )
    for key, found in points.findings.items():
        manifest = with_thresholds(manifest, key, _checked(manifest, key, found, points))
    return replace(bundle, manifest=manifest)


def _checked(
    manifest: Manifest, key: str, found: Mapping[str, LocalPoint], points: LocalPoints
) -> dict[str, FindingThresholds]:
    shipped = shipped_thresholds(manifest, key)
    known = ["", *manifest.findings_by_population]
    if key not in known:
        raise _unknown(f"judged as {key!r:.80}", known)
    if unknown := sorted(set(found) - set(shipped)):
        raise _unknown(f"the finding {unknown[0]!r:.80}", shipped)
    return {code: _thresholds(code, shipped[code], point, points) for code, point in found.items()}


def _unknown(what: str, known: Collection[str]) -> LocalPointsInvalid:
    names = ", ".join(name or '""' for name in known)
    return LocalPointsInvalid(f"local operating points are not used: {what} is not known; expected {names}")


def _thresholds(code: str, shipped: FindingThresholds, point: LocalPoint, points: LocalPoints) -> FindingThresholds:
    below = point.rule_out_below
    if below is not None and shipped.rule_out_below is None:
        raise LocalPointsInvalid(
            f"local operating points are not used: {code}: rule_out_below is {below}, and this model never rules it out"
        )
    if below is not None and below > point.rule_in_from:
        raise LocalPointsInvalid(
            f"local operating points are not used: {code}: rule_out_below {below} is above rule_in_from "
            f"{point.rule_in_from}"
        )
    measured = FindingMeasured.model_validate(point.measured.model_dump())
    origin = LocalOrigin(
        settings_sha256=points.sha256, made_on=points.made_on.isoformat(), cases=points.cases, measured=measured
    )
    return FindingThresholds(
        **point.model_dump(exclude={"measured"}),
        min_sensitivity=shipped.min_sensitivity,
        min_specificity=shipped.min_specificity,
        never_ruled_out=(shipped.never_ruled_out or NOT_HERE) if below is None else None,
        local=origin,
    )


def local_figures(measured: FindingMeasured) -> LocalFigures:
    """What a file keeps of them. Raises ValueError where something was not measured."""
    names = ("auc", "sensitivity", "suspected", "specificity", "ruled_out")
    shares: dict[str, Interval | None] = {name: getattr(measured, name) for name in names}
    return LocalFigures.model_validate(
        {"count": measured.count, **{name: share and share.model_dump() for name, share in shares.items()}}
    )


def write_local_points(path: Path, points: LocalPoints) -> None:
    """Into a file, in one step; what it says of other bundles stays. Raises LocalPointsInvalid for a file that is there
    and is none, OSError where it cannot be written."""
    kept: list[LocalPoints] = []
    if path.exists():
        there = read_local_settings(path)
        if there.problems:
            name, why = next(iter(there.problems.items()))
            raise LocalPointsInvalid(f"{path.name}: {name}: {why}; correct the file or write another")
        kept = [own for name, own in there.points.items() if name != points.task]
    parts = [own.model_dump(mode="json") for own in (*kept, points)]
    content = json.dumps({"format_version": FORMAT_VERSION, "operating_points": parts}, indent=1, allow_nan=False)
    write_whole(path, (content.encode(), b"\n"))
