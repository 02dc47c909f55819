"""Decodes one DICOM file from several threads at the same moment, in a process that never read one.

Its standard input is the file. Prints, a line a thread, what came out: the SHA-256 of the pixels, or the refusal.
"""

from __future__ import annotations

import hashlib
import sys
import threading

from ml_model.inputs.images.decoder import load_image
from ml_model.tasks.registry import ImageInput

THREADS = 12
INPUT = ImageInput(modality="film", height_px=32, width_px=48, min_side_px=1)


def main() -> None:
    """Start the threads, each behind one barrier, and print what they got."""
    data, barrier = sys.stdin.buffer.read(), threading.Barrier(THREADS)
    came_out = ["nothing"] * THREADS
    sys.setswitchinterval(1e-5)  # so that threads meet wherever they can

    def decode(index: int) -> None:
        barrier.wait()
        try:
            came_out[index] = hashlib.sha256(load_image(data, INPUT).pixels.tobytes()).hexdigest()
        except Exception as error:
            came_out[index] = f"{type(error).__name__}: {error}"

    threads = [threading.Thread(target=decode, args=(index,)) for index in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("\n".join(came_out))


if __name__ == "__main__":
    main()
