"""Pictures that devices send by C-STORE, and results that go back by STOW-RS or C-STORE.

A picture is acknowledged once it is on the disk and in the ledger.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from pydicom import dcmread
from pynetdicom import AE, StoragePresentationContexts, _config, build_context, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from backend.dicomweb.archive import ArchiveUnavailable
from backend.dicomweb.ledger import Entry, Ledger, write_whole
from backend.dicomweb.work import received_path
from backend.endpoint import MAX_UPLOAD_BYTES
from backend.settings.pacs import Pacs, Peer
from backend.settings.reading import ConfigError
from ml_model.inputs.dicom.instances import read_instance
from ml_model.inputs.dicom.transfer_syntax import JPEG, JPEG_2000, RLE, UID_ROOT

_SYNTAXES = [UID_ROOT, f"{UID_ROOT}.1", f"{UID_ROOT}.2", *sorted(JPEG | JPEG_2000), RLE]
_SUCCESS, _OUT_OF_RESOURCES, _NOT_UNDERSTOOD = 0x0000, 0xA700, 0xC000
_WITHIN_S = 60.0
_MOST_ASSOCIATIONS = 10
_PLAIN = [f"{UID_ROOT}.1", UID_ROOT]


class Listener:
    """A server that takes pictures of devices that it was told of, and nothing else."""

    def __init__(self, ledger: Ledger, pacs: Pacs) -> None:
        """Raises ConfigError where nobody may send."""
        if not pacs.allowed_aes:
            raise ConfigError("DICOM_ALLOWED_AES: nobody may send; name the AE titles of devices, or * for anybody")
        _config.LOG_HANDLER_LEVEL = "none"
        self._ledger = ledger
        self._pacs = pacs
        self._entity = AE(ae_title=pacs.ae_title)
        self._entity.maximum_associations = _MOST_ASSOCIATIONS
        self._entity.network_timeout = self._entity.acse_timeout = self._entity.dimse_timeout = _WITHIN_S
        self._entity.require_called_aet = True
        if "*" not in pacs.allowed_aes:
            self._entity.require_calling_aet = list(pacs.allowed_aes)
        for context in StoragePresentationContexts:
            self._entity.add_supported_context(str(context.abstract_syntax), _SYNTAXES)
        self._entity.add_supported_context(Verification)

    def start(self) -> int:
        """Take pictures in threads of its own. Returns the port. Raises OSError where that is taken."""
        handlers: list[Any] = [(evt.EVT_C_STORE, self._take)]
        server = self._entity.start_server((self._pacs.host, self._pacs.port), block=False, evt_handlers=handlers)
        return int(server.socket.getsockname()[1]) if server and server.socket else self._pacs.port

    def stop(self) -> None:
        """No more; what was begun is broken off, and was not acknowledged."""
        self._entity.shutdown()

    def _take(self, event: evt.Event) -> int:
        try:
            data = event.encoded_dataset()
            named = read_instance(data)
        except Exception:  # pynetdicom and pydicom meet untrusted bytes with every kind of exception
            return _NOT_UNDERSTOOD
        if named is None:
            return _NOT_UNDERSTOOD
        uids = (named.study_uid, named.series_uid, named.instance_uid)
        try:
            if len(data) <= MAX_UPLOAD_BYTES:
                write_whole(received_path(self._ledger.folder, named.instance_uid), data)
            why = "" if len(data) <= MAX_UPLOAD_BYTES else f"a file of {len(data)} bytes, at most {MAX_UPLOAD_BYTES}"
            if not self._ledger.add(uids, "sent", why):
                self._again(named.instance_uid)
        except Exception:  # the disk is full, the ledger is held: the device sends it again
            return _OUT_OF_RESOURCES
        return _SUCCESS

    def _again(self, instance_uid: str) -> None:
        """What was done with before is not kept a second time."""
        if self._ledger.is_settled(instance_uid):
            received_path(self._ledger.folder, instance_uid).unlink(missing_ok=True)


def received(ledger: Ledger, entry: Entry) -> bytes:
    """A picture that was sent. Raises OSError."""
    return received_path(ledger.folder, entry.instance_uid).read_bytes()


def send_back(pacs: Pacs, peer: Peer, objects: Sequence[bytes]) -> None:
    """By C-STORE. Raises ArchiveUnavailable unless all were taken."""
    entity, files = AE(ae_title=pacs.ae_title), [dcmread(io.BytesIO(one)) for one in objects]
    entity.network_timeout = entity.acse_timeout = entity.dimse_timeout = _WITHIN_S
    contexts = [build_context(uid, _PLAIN) for uid in sorted({str(one.SOPClassUID) for one in files})]
    link = entity.associate(peer.host, peer.port, contexts=contexts, ae_title=peer.ae_title)
    if not link.is_established:
        raise ArchiveUnavailable("results cannot be sent: the archive takes no association")
    try:
        told = [link.send_c_store(one).get("Status", -1) for one in files]
    except (RuntimeError, ValueError) as error:
        raise ArchiveUnavailable(f"results cannot be sent ({type(error).__name__})") from error
    finally:
        link.release()
    if not all(status == _SUCCESS or status >> 12 == 0xB for status in told):  # 0xBxxx: taken with a warning
        raise ArchiveUnavailable("the archive did not take every result")
