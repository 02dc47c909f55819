"""Where data sets of tables lie."""

from __future__ import annotations

from pathlib import Path


def find_folder(data: Path, name: str) -> Path:
    """`data` itself or `data/name`, whichever holds the tables. Raises FileNotFoundError."""
    for folder in (data / name, data):
        if folder.is_dir() and any(folder.glob("*.npz" if name == "symptoms" else "*.csv")):
            return folder
    raise FileNotFoundError(f"no {name} tables in {data} or {data / name}; unzip the data set there")
