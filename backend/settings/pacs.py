"""A picture archive that is watched, or that sends pictures, and how results go back to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from backend.settings.reading import ConfigError, whole_number, whole_number_of
from backend.settings.values import ADDRESS, one_of, words

AE_TITLE = re.compile(r"[A-Za-z0-9_.-]{1,16}")
_PEER = re.compile(r"([A-Za-z0-9_.-]{1,16})@([A-Za-z0-9.:\[\]-]{1,253}):([0-9]{1,5})")
_PORT = (1, 65_535)


@dataclass(frozen=True)
class Peer:
    """Where objects are sent by C-STORE."""

    ae_title: str
    host: str
    port: int


@dataclass(frozen=True)
class Pacs:
    """url: of DICOMweb, before /studies. Given both, the token is used. ca: file of certificates by which its own is
    verified; empty: those of the machine. series_pictures: a series of more is not answered. attempts: at one picture,
    the second after `backoff_s`, each further one after twice as long. allowed_aes: who may send; `*`: anybody.
    return_to: where results of what was sent go; None: by STOW-RS to `url`."""

    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    ca: str = ""
    poll_s: int = 30
    gate: Literal["on", "warn"] = "on"
    series_pictures: int = 8
    attempts: int = 5
    backoff_s: int = 30
    ae_title: str = "MEDIDIAGNOSE"
    host: str = "127.0.0.1"
    port: int = 11_112
    allowed_aes: tuple[str, ...] = ()
    return_to: Peer | None = None


def of_pacs(environ: Mapping[str, str]) -> Pacs:
    """Raises ConfigError."""
    ca = environ.get("DICOMWEB_CA", "").strip()
    if ca and not Path(ca).is_file():
        raise ConfigError(f"DICOMWEB_CA={ca!r:.200}: there is no such file of certificates")
    return Pacs(
        url=dicomweb_url(environ.get("DICOMWEB_URL", "")),
        username=environ.get("DICOMWEB_USERNAME", "").strip(),
        password=environ.get("DICOMWEB_PASSWORD", "").strip(),
        token=environ.get("DICOMWEB_TOKEN", "").strip(),
        ca=ca,
        poll_s=whole_number_of(environ, "DICOMWEB_POLL_S", 30, (1, 86_400)),
        gate="warn" if one_of(environ, "DICOMWEB_GATE", ("on", "warn")) == "warn" else "on",
        series_pictures=whole_number_of(environ, "DICOMWEB_SERIES_PICTURES", 8, (1, 1000)),
        attempts=whole_number_of(environ, "DICOMWEB_ATTEMPTS", 5, (1, 100)),
        backoff_s=whole_number_of(environ, "DICOMWEB_BACKOFF_S", 30, (1, 86_400)),
        ae_title=_ae_title(environ.get("DICOM_AE_TITLE", "").strip() or Pacs.ae_title, "DICOM_AE_TITLE"),
        host=environ.get("DICOM_HOST", "").strip() or Pacs.host,
        port=whole_number_of(environ, "DICOM_PORT", Pacs.port, _PORT),
        allowed_aes=tuple(
            one if one == "*" else _ae_title(one, "DICOM_ALLOWED_AES") for one in words(environ, "DICOM_ALLOWED_AES")
        ),
        return_to=_peer(environ.get("DICOM_RETURN_TO", "").strip()),
    )


def dicomweb_url(text: str) -> str:
    """Raises ConfigError for what is no address; the value is not told, somebody may have put a password into it."""
    url = text.strip().rstrip("/")
    scheme, between, rest = url.partition("://")
    if url and not (scheme in ("http", "https") and between and ADDRESS.fullmatch(rest)):
        raise ConfigError("DICOMWEB_URL: expected https://name/dicom-web; credentials are settings of their own")
    return url


def _ae_title(text: str, name: str) -> str:
    if not AE_TITLE.fullmatch(text):
        raise ConfigError(f"{name}={text!r:.40}: expected up to 16 letters, digits, dots, dashes and underscores")
    return text


def _peer(text: str) -> Peer | None:
    if not text:
        return None
    found = _PEER.fullmatch(text)
    if found is None:
        raise ConfigError(f"DICOM_RETURN_TO={text!r:.80}: expected AETITLE@host:port, or none for STOW-RS")
    return Peer(found[1], found[2], whole_number(found[3], "DICOM_RETURN_TO", _PORT))
