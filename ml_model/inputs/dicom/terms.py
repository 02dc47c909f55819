"""The words of DICOM that a header is believed to say. Headers are untrusted: any other word may be a name, and is not
repeated anywhere. Modalities: PS3.3 C.7.3.1.1.1, retired ones too; parts of the body: the terms of PS3.16 annex L, and
what devices write for them; views of radiographs and mammograms: PS3.3 C.8.11.5 and the acronyms of CID 4014."""

from __future__ import annotations

from typing import Literal

Laterality = Literal["R", "L", "B", "U"]
UNKNOWN_MODALITY = "unknown"
_MODALITIES = """
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DG DMS DOC DX ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS
    KER KO LEN LS M3D MG MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE
    RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD RTSEGANN RTSTRUCT RWV SC SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA
    XAPROTOCOL XC
"""
_VIEWS = "AP PA LL RL RLD LLD RLO LLO LAT LATERAL CC MLO ML LM LMO XCC XCCL XCCM FB SIO ISO CV AT TAN"
_BODY_PARTS = """
    ABDOMEN ABDOMENPELVIS ANKLE AORTA ARM AXILLA BACK BRAIN BREAST CALCANEUS CALF CAROTID CEREBELLUM CEREBRAL CHEST
    CHESTABDOMEN CHESTABDPELVIS CLAVICLE COCCYX COLON CSPINE CTSPINE ELBOW ESOPHAGUS EYE FACE FEMUR FINGER FOOT FOREARM
    HAND HEAD HEADNECK HEART HIP HUMERUS JAW KIDNEY KNEE LEG LIVER LSPINE LSSPINE LUNG MANDIBLE MAXILLA MEDIASTINUM
    NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE ORBIT PANCREAS PELVIS PITUITARY PROSTATE RIB RIBS SACRUM
    SCALP SCAPULA SHOULDER SINUS SKIN SKULL SPINE SPLEEN SSPINE STERNUM STOMACH TESTIS THIGH THORAX THUMB THYROID TOE
    TRUNK TSPINE TLSPINE UTERUS WHOLEBODY WRIST ZYGOMA
"""
MODALITIES = frozenset(_MODALITIES.split())
VIEWS = frozenset(_VIEWS.split())
BODY_PARTS = frozenset(_BODY_PARTS.split())
_LATERALITIES: dict[str, Laterality] = {"R": "R", "L": "L", "B": "B", "U": "U", "RIGHT": "R", "LEFT": "L"}


def modality_of(text: str) -> str | None:
    """The code; `UNKNOWN_MODALITY` of any other word; None of none."""
    return (text if text in MODALITIES else UNKNOWN_MODALITY) if text else None


def view_of(text: str) -> str | None:
    return text if text in VIEWS else None


def body_part_of(text: str) -> str | None:
    """Without the spaces that devices put between words of it."""
    bare = text[:32].replace(" ", "").replace("_", "")
    return bare if bare in BODY_PARTS else None


def laterality_of(text: str) -> Laterality | None:
    return _LATERALITIES.get(text)
