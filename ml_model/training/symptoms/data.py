"""Reads the 773-disease table, its synonyms and descriptions; splits it by unique symptom vector."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml_model.tabular.symptom_matcher import content_words, expand_alternatives, normalise
from ml_model.training.data.splits import SplitError

SPLIT_NAMES = ("train", "val", "test")
MIN_VECTORS_TO_SPLIT = 3


@dataclass(frozen=True)
class SymptomTable:
    """N rows of S symptoms. `group` numbers the unique vectors: equal rows share it."""

    present: NDArray[np.bool_]  # (N, S)
    disease: NDArray[np.int64]  # (N,) index into diseases
    group: NDArray[np.int64]  # (N,)
    symptoms: tuple[str, ...]
    diseases: tuple[str, ...]
    never_present: tuple[str, ...]
    without_rows: tuple[str, ...]


def vector_groups(present: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number (N,) of each row's symptom vector; equal rows get equal numbers."""
    packed = np.ascontiguousarray(np.packbits(present, axis=1))
    keys = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    return np.unique(keys, return_inverse=True)[1].astype(np.int64).ravel()


def read_symptom_table(path: Path) -> SymptomTable:
    """Read diseases773.npz.

    A column whose name ends in ".1" repeats another and is merged into it. Symptoms that never occur
    and diseases without rows are left out and listed.
    """
    with np.load(path, allow_pickle=False) as stored:
        names = [str(n) for n in stored["symptoms"]]
        present = np.unpackbits(stored["xbits"], axis=1)[:, : len(names)].astype(bool)
        disease = stored["y"].astype(np.int64)
        diseases = [str(c) for c in stored["classes"]]
    for repeated in [n for n in names if n.endswith(".1") and n[:-2] in names]:
        present[:, names.index(repeated[:-2])] |= present[:, names.index(repeated)]
        present = np.delete(present, names.index(repeated), axis=1)
        names.remove(repeated)
    used = np.asarray(present.any(axis=0))
    filled = np.asarray(np.bincount(disease, minlength=len(diseases)) > 0)
    present = present[:, used]
    return SymptomTable(
        present=present,
        disease=(np.cumsum(filled) - 1)[disease],
        group=vector_groups(present),
        symptoms=tuple(n for n, u in zip(names, used, strict=True) if u),
        diseases=tuple(d for d, f in zip(diseases, filled, strict=True) if f),
        never_present=tuple(n for n, u in zip(names, used, strict=True) if not u),
        without_rows=tuple(d for d, f in zip(diseases, filled, strict=True) if not f),
    )


def split_symptom_table(table: SymptomTable, seed: int) -> NDArray[np.int64]:
    """Split (N,) of each row, an index into SPLIT_NAMES: 84 % of the vectors train, 8 % val, 8 % test.

    Vectors of diseases with fewer than three of them go to train: such diseases can be learned, not measured.
    """
    rng = np.random.default_rng(seed)
    share = rng.random(int(table.group.max()) + 1)
    pairs = np.unique(np.stack([table.disease, table.group], axis=1), axis=0)
    vectors = np.bincount(pairs[:, 0], minlength=len(table.diseases))
    share[pairs[vectors[pairs[:, 0]] < MIN_VECTORS_TO_SPLIT, 1]] = 0
    of_group = np.where(share < 0.84, 0, np.where(share < 0.92, 1, 2))
    # A disease whose every vector was drawn away from train gets its first one back.
    learned = np.zeros(len(table.diseases), bool)
    learned[pairs[of_group[pairs[:, 1]] == 0, 0]] = True
    for disease in np.flatnonzero(~learned):
        of_group[pairs[pairs[:, 0] == disease, 1][0]] = 0
    split: NDArray[np.int64] = of_group[table.group].astype(np.int64)
    check_symptom_split(table, split)
    return split


def check_symptom_split(table: SymptomTable, split: NDArray[np.int64]) -> None:
    """Raises SplitError when a symptom vector is in two splits, or a disease is missing from train."""
    actual = vector_groups(table.present)
    pairs = np.unique(np.stack([actual, split], axis=1), axis=0)
    if leaking := int((np.bincount(pairs[:, 0]) > 1).sum()):
        raise SplitError(f"{leaking} symptom vectors are in two splits")
    missing = set(range(len(table.diseases))) - set(table.disease[split == 0].tolist())
    if missing:
        raise SplitError(f"{len(missing)} diseases have no row in train, first {table.diseases[min(missing)]}")


def read_synonyms(
    path: Path,
    symptoms: tuple[str, ...],
    aliases: dict[str, tuple[str, ...]],
    filler_words: frozenset[str],
    heads: dict[str, str],
) -> dict[str, tuple[str, ...]]:
    """Synonyms of symptom_metadata.csv that can be trusted.

    They were generated, and many belong to a neighbouring symptom ("back pain" under hip pain). Kept are
    those that one symptom alone claims, that are no other symptom's name or alias, and that share a word
    with their own symptom's name or aliases.
    """
    taken = {normalise(t) for n in symptoms for t in (n, *aliases.get(n, ()), *expand_alternatives(n))}
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [(row["symptom"], row["synonyms"].split(";")) for row in csv.DictReader(stream)]
    claims: dict[str, set[str]] = {}
    for name, phrases in rows:
        for phrase in phrases:
            claims.setdefault(normalise(phrase), set()).add(name)
    uses = Counter(p for p, names in claims.items() for _ in names)
    kept: dict[str, tuple[str, ...]] = {}
    for name, phrases in rows:
        if name not in symptoms:
            continue
        own = {w for t in (name, *aliases.get(name, ())) for w in content_words(normalise(t), filler_words, heads)}
        unclaimed = (p for p in map(normalise, phrases) if uses[p] == 1 and p not in taken)
        found = {p for p in unclaimed if 2 <= len(p.split()) <= 6 and own & set(content_words(p, filler_words, heads))}
        if found:
            kept[name] = tuple(sorted(found))
    return kept


def read_descriptions(path: Path) -> dict[str, str]:
    """Description by disease name of the 41-disease set (no header; name, text)."""
    with path.open(encoding="utf-8", newline="") as stream:
        return {row[0]: " ".join(row[1].split()) for row in csv.reader(stream) if len(row) >= 2}
