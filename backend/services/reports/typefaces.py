"""Type for every script: Source Sans 3 for Latin, Greek and Cyrillic, Kurinto Sans for Chinese, Japanese and Korean.

Both lie in the package weblate-fonts (Open Font License) and are embedded, as far as they are used. What is written
from the right, or needs shaping that ReportLab does not do, is named instead of being drawn wrongly.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import unicodedata
from html import escape
from typing import cast

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "ReportSans", "ReportSans-Bold"
_CHINESE, _JAPANESE, _KOREAN = "ReportSansSC", "ReportSansJP", "ReportSansKR"
_FILES = {
    REGULAR: "source-sans/ttf/SourceSans3-Regular.ttf",
    BOLD: "source-sans/ttf/SourceSans3-Bold.ttf",
    _CHINESE: "kurinto/ttf/KurintoSansSC-Rg.ttf",
    _JAPANESE: "kurinto/ttf/KurintoSansJP-Rg.ttf",
    _KOREAN: "kurinto/ttf/KurintoSansKR-Rg.ttf",
}
_KANA, _HANGUL = ("HIRAGANA", "KATAKANA"), ("HANGUL",)
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn"}  # control and formatting characters, and those that are none


@functools.cache
def font(name: str) -> TTFont:
    """A typeface, read when it is first needed."""
    folder = importlib.resources.files("weblate_fonts") / "static" / "weblate_fonts"
    with importlib.resources.as_file(folder / _FILES[name]) as path:
        made = TTFont(name, str(path))
    pdfmetrics.registerFont(made)
    return made


def set_up() -> None:
    """The two that every report needs; a bold part of a paragraph is set in the bold one."""
    font(REGULAR), font(BOLD)
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)


def marked(text: str) -> str:
    """Text as ReportLab's paragraphs read it, each part in a typeface that has it."""
    shown = "".join(ch for ch in unicodedata.normalize("NFC", text) if ch == "\n" or _is_seen(ch))
    parts = [(key, "".join(found)) for key, found in itertools.groupby(shown, _chooser(shown))]
    return "".join(_part(key, part) for key, part in _joined(parts)).replace("\n", "<br/>")


def _is_seen(ch: str) -> bool:
    return ch == "\t" or unicodedata.category(ch) not in _UNSEEN


def _script(ch: str) -> str:
    return unicodedata.name(ch, "UNKNOWN").split()[0].split("-")[0]


def _chooser(text: str) -> functools.partial[str]:
    """Japanese and Korean texts have signs of their own, by which their Han characters are told, too."""
    scripts = {_script(ch) for ch in set(text)}
    first = _JAPANESE if scripts & {*_KANA} else _KOREAN if scripts & {*_HANGUL} else _CHINESE
    return functools.partial(_key, (REGULAR, *sorted((_CHINESE, _JAPANESE, _KOREAN), key=lambda name: name != first)))


def _key(chain: tuple[str, ...], ch: str) -> str:
    """A typeface of the chain, or the name of a script that none has."""
    if ch in "\n\t " or ord(ch) < 0x7F:
        return REGULAR
    found = next((name for name in chain if ord(ch) in cast("dict[int, int]", font(name).face.charToGlyph)), None)
    return found or _script(ch).capitalize()


def _joined(parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Words of a script that none has, and what is between them, are one."""
    made: list[tuple[str, str]] = []
    for key, part in parts:
        if len(made) > 1 and key not in _FILES and made[-2][0] == key and not made[-1][1].strip():
            between = made.pop()[1]
            made[-1] = (key, made[-1][1] + between + part)
        else:
            made.append((key, part))
    return made


def _part(key: str, part: str) -> str:
    if key not in _FILES:
        return f"[{len(part)} characters of {key} script, see the record]"
    return escape(part, quote=False) if key == REGULAR else f'<font name="{key}">{escape(part, quote=False)}</font>'
