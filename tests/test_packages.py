"""The packages: each pinned to one version, installed in that version, and argued for."""

from __future__ import annotations

import re
import sys
from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from samples import ROOT

LINES = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
PINNED = [Requirement(line) for line in LINES if line and not line.startswith(("#", "-e ."))]


def test_every_package_is_pinned_to_one_version_and_installed_in_it() -> None:
    """No index, address or option beside: what is installed comes from where the user's pip takes everything."""
    assert all(re.fullmatch(r"==[\w.]+", str(each.specifier)) and each.url is None for each in PINNED)
    names = [canonicalize_name(each.name) for each in PINNED]
    assert len(set(names)) == len(names)
    here = [each for each in PINNED if each.marker is None or each.marker.evaluate()]
    assert {each.name: version(each.name) for each in here} == {
        each.name: str(each.specifier).removeprefix("==") for each in here
    }


def test_every_package_is_argued_for_and_nothing_else() -> None:
    table = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    argued = re.findall(r"^\| ([\w.-]+) \|", table, re.MULTILINE)[1:]
    assert sorted(argued) == sorted(each.name for each in PINNED)


def test_no_pin_contradicts_another() -> None:
    pins = {canonicalize_name(each.name): str(each.specifier).removeprefix("==") for each in PINNED}
    wanted = [
        (each.name, needed)
        for each in PINNED
        if each.marker is None or each.marker.evaluate()
        for needed in map(Requirement, requires(each.name) or ())
        if needed.marker is None or needed.marker.evaluate({"extra": ""})
    ]
    assert wanted, sys.version
    unmet = [
        (name, str(needed))
        for name, needed in wanted
        if (pin := pins.get(canonicalize_name(needed.name))) and pin not in needed.specifier
    ]
    assert unmet == []
