"""How a chest film lies: turned, mirrored, or with black and white exchanged.

One weight a cell of a small copy says how a film that is upright and positive looks there; of the 16 ways in which a
film can lie, that in which its copy fits best is told. The weights were fitted on training films by
`ml_model/training/commands/film_pose.py`; they stand here so that the hash of the decoding code covers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Share of the evidence from which a turn with its polarity is certain, or a polarity alone. Of 609 validation films as
# they are one is told another turn, none another polarity; of the same films inverted no polarity is missed.
CERTAIN_FROM = 0.9
MIRRORED_FROM = 0.98  # a heart on the right is rare, but there are such
WEIGHTS = (  # thousandths, by row
    (-520, 1320, -530, 389, -1228, 97, 397, -130, -1086, 872, -45, -1392, 311, 459, 340, 12),
    (942, -2041, -377, 724, -876, -651, 1706, -142, 125, 1253, -298, -971, 261, -248, -1291, -37),
    (166, 482, -585, 104, -204, -516, 826, -1535, 1881, -466, 94, 174, -164, -982, -34, 202),
    (528, -536, 35, 278, 33, 96, -361, 389, -1163, -644, -602, 536, -186, 26, 212, 1038),
    (-501, 462, 324, 705, 573, 1140, 369, -106, 146, -67, -1290, 550, 1107, 172, 167, -349),
    (-95, 511, -326, 772, 463, -866, 713, -1334, 1070, 285, -921, -467, 398, -56, 465, -996),
    (-783, -395, 1446, 789, -250, -1345, 1538, 712, 69, -92, -368, -8, -13, -650, 119, 8),
    (-331, -588, -984, -351, -1903, -439, -517, 1945, -1164, 1312, -592, 295, 989, 411, -135, 209),
    (685, 810, -651, -547, -78, -524, 607, 590, 425, 340, 1487, -325, 44, -183, 266, -648),
    (-646, -31, -796, 223, -113, 650, -1225, -850, 1693, 780, 467, 566, -620, -1376, 230, -473),
    (64, -230, -281, -78, -273, -379, -1655, -944, 87, -488, 368, -599, 357, -484, -585, 206),
    (148, 214, 27, 998, 249, 458, -364, 1887, -1143, 255, 1359, -155, 443, -96, 218, -34),
    (-610, -132, 627, -80, 187, -1099, 617, -980, 1985, -917, 1021, -760, 166, 788, 102, -1432),
    (106, -187, -42, -409, 578, 294, 5, 1012, -25, -455, 371, -618, -571, -974, -252, 10),
    (432, 513, -993, 475, 315, 404, 864, -549, 1390, -559, 165, 42, 374, -564, -126, 1426),
    (-451, -576, 160, 235, 860, 796, -247, 746, -687, 104, -122, -122, -339, 300, -116, -1216),
)
SIDE_CELLS = 16


@dataclass(frozen=True)
class FilmPose:
    """quarter_turns: by which it has to be turned anticlockwise to be upright. inverted: air is white."""

    quarter_turns: int = 0
    inverted: bool = False
    mirrored: bool = False

    @property
    def turned(self) -> str | None:
        """A sentence on a film that is not upright."""
        if not self.quarter_turns:
            return None
        lies = {1: "on its side, its head to the right", 2: "upside down", 3: "on its side, its head to the left"}
        return f"the film lies {lies[self.quarter_turns]}: send it upright"


UPRIGHT = FilmPose()


def cells_of(rgb: Image.Image) -> NDArray[np.float64]:
    """Grey levels of a small copy (SIDE_CELLS, SIDE_CELLS), of mean 0 and deviation 1; 0 where all are the same."""
    grey = np.asarray(rgb.resize((SIDE_CELLS, SIDE_CELLS), Image.Resampling.BOX).convert("L"), np.float64)
    grey -= grey.mean()
    return np.asarray(grey / max(float(grey.std()), 1e-6))


def in_all_poses(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """(16, rows, columns): as it is first; mirrored ones last, inverted ones last of either, each turned.

    Turned before they are mirrored: so a film whose side is in doubt is turned as far in both.
    """
    return np.stack(
        [sign * np.rot90(cells, turns)[:, ::side] for side in (1, -1) for sign in (1, -1) for turns in range(4)]
    )


@cache
def _weights_of_poses() -> NDArray[np.float64]:
    """(16, SIDE_CELLS**2): the weights, moved to where the cells are that `in_all_poses` would move to them."""
    weights = np.ravel(WEIGHTS) / 1000
    places = in_all_poses(np.arange(1.0, 1 + SIDE_CELLS**2).reshape(SIDE_CELLS, SIDE_CELLS)).reshape(16, -1)
    moved = np.zeros_like(places)
    np.put_along_axis(moved, np.abs(places).astype(np.intp) - 1, np.sign(places) * weights, axis=1)
    return moved


def film_pose(rgb: Image.Image) -> FilmPose:
    """How an upload, mode RGB, has to be changed to be an upright film, as far as that is certain."""
    scores = _weights_of_poses() @ cells_of(rgb).ravel()
    shares = np.exp(scores - scores.max())
    shares = (shares / shares.sum()).reshape(2, 2, 4)  # mirrored, inverted, turns
    inverted, turns = divmod(int(shares.sum(axis=0).argmax()), 4)
    if shares[:, inverted, turns].sum() < CERTAIN_FROM:
        return FilmPose(inverted=bool(shares[:, 1].sum() >= CERTAIN_FROM))
    return FilmPose(turns, bool(inverted), bool(shares[1, inverted, turns] >= MIRRORED_FROM))
