"""One setting: its word, its bounds, and an error that names it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from ml_model.errors import MediDiagnoseError

TRUE_WORDS = frozenset({"1", "on", "true", "yes"})
FALSE_WORDS = frozenset({"0", "off", "false", "no", ""})
CGROUP = Path("/sys/fs/cgroup")


class ConfigError(MediDiagnoseError):
    """A setting has a value that means nothing; the message names the setting."""

    code = "config_invalid"


def flag(environ: Mapping[str, str], name: str, default: bool) -> bool:
    """on or off. Raises ConfigError."""
    word = environ.get(name, "on" if default else "off").strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ConfigError(f"{name}={word!r}: expected on or off")


def whole_number(text: str, name: str, bounds: tuple[int, int]) -> int:
    """A setting within its bounds. Raises ConfigError naming the setting, its value and the bounds."""
    if not (text.isascii() and text.isdecimal()) or not bounds[0] <= int(text) <= bounds[1]:
        raise ConfigError(f"{name}={text!r}: expected a whole number from {bounds[0]} to {bounds[1]}")
    return int(text)


def whole_number_of(environ: Mapping[str, str], name: str, default: int, bounds: tuple[int, int]) -> int:
    """The same of the environment. Raises ConfigError."""
    return whole_number(environ.get(name, "").strip() or str(default), name, bounds)


def threads(environ: Mapping[str, str], default: int, bounds: tuple[int, int]) -> int:
    """`auto`: two for each core that this process may use, since some wait for files or the database."""
    if environ.get("THREADS", "").strip().lower() == "auto":
        return min(max(default, 2 * usable_cores()), bounds[1])
    return whole_number_of(environ, "THREADS", default, bounds)


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Of this process, within the limit of its container."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = (cgroup / "cpu.max").read_text(encoding="ascii").split()
        cores = min(cores, max(1, int(quota) // int(period)))  # "max" is no limit
    return cores
