"""What hostile files cost: `python -m hostile.cost_of_reading [--seconds S] [--largest] [NAME...]`.

A line of JSON each: {"row", "name", "bytes", "outcome", "seconds", "mib"}, in seconds of computing and in the most
memory beyond where it stood. Every file is read in a process of its own, which S seconds of computing end. Ends with 1
where one costs more than MOST_SECONDS or MOST_MIB, or gives another error than ours.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dicom_files import dataset, ramp, write
from hostile.files import BY_NAME, HOSTILE, Hostile
from hostile.recordings import HEADER, SIGNAL
from pictures import INPUT, encode, picture

from ml_model.ecg.recording import load_recording
from ml_model.errors import MediDiagnoseError
from ml_model.inputs.images.decoder import load_image
from ml_model.inputs.json_body import read_body
from ml_model.inputs.tabular import DiseaseQuestion

MOST_SECONDS, MOST_MIB = 1.5, 300
STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
READERS: dict[str, Callable[[bytes], object]] = {
    "picture": lambda data: load_image(data, INPUT),
    "recording": lambda data: load_recording([("a", data)]),
    "header": lambda data: load_recording([("rec.hea", data), ("rec.dat", SIGNAL)]),
    "json": lambda data: read_body(data, DiseaseQuestion),
}


def memory_mib(field: str) -> float:
    text = STATUS.read_text(encoding="utf-8")
    return int(next(line for line in text.splitlines() if line.startswith(field)).split()[1]) / 1024


def warm_up() -> None:
    """What is imported when the first file of a kind arrives."""
    load_image(encode(picture(), "PNG"), INPUT)
    load_image(write(dataset(ramp(1, 2))), INPUT)
    load_recording([("rec.hea", HEADER), ("rec.dat", SIGNAL)])


def outcome(reader: str, data: bytes) -> str:
    """What is said of it: what was read, or code and text of the error; "!" behind one that is not ours."""
    try:
        return type(READERS[reader](data)).__name__
    except MediDiagnoseError as error:
        return f"{error.code}: {error}"
    except Exception as error:  # an answer of 500; told like the others
        return f"{type(error).__name__}!"


def cost(hostile: Hostile, size: int) -> dict[str, Any]:
    """Read it here."""
    data = hostile.make(size)
    gc.collect()
    before = memory_mib("VmRSS")
    REFERENCES.write_text("5", encoding="utf-8")  # the peak starts anew
    began = time.process_time()
    found = outcome(hostile.reader, data)
    seconds, mib = time.process_time() - began, memory_mib("VmHWM") - before
    told = {"row": hostile.row, "name": hostile.name, "bytes": len(data), "outcome": found[:110]}
    told["dear"] = found.endswith("!") or seconds > MOST_SECONDS or mib > MOST_MIB
    return told | {"seconds": round(seconds, 3), "mib": round(mib)}


def _measure(name: str, size: int, seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    told = cost(BY_NAME[name], size)
    print(json.dumps(told), flush=True)
    sys.exit(told["dear"])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--largest", action="store_true")
    asked = parser.parse_args()
    warm_up()
    dear = 0
    forking = multiprocessing.get_context("fork")
    for hostile in [BY_NAME[name] for name in asked.names] or HOSTILE:
        for size in hostile.sizes[-1:] if asked.largest else hostile.sizes:
            child = forking.Process(target=_measure, args=(hostile.name, size, asked.seconds))
            child.start()
            child.join()
            dear += child.exitcode != 0
            if child.exitcode not in (0, 1):
                print(json.dumps({"row": hostile.row, "name": hostile.name, "bytes": size, "ended": child.exitcode}))
            sys.stdout.flush()
    sys.exit(dear > 0)


if __name__ == "__main__":
    main()
