"""Office files with a password: `read_sealed` for current ones, `unsealed` for the old binary ones.

Covered, with the extra `office`: agile and standard encryption of .docx, .xlsx, .pptx and their like; RC4 and
RC4 CryptoAPI of .doc, .xls and .ppt; XOR of .xls; files that a program encrypts with the password that all
of its kind know. Not covered: XOR of .doc, encryption by rights management or certificates.
"""

from __future__ import annotations

import io

from quoth.errors import PASSWORD, Encrypted, MissingPart, ReadError, need
from quoth.ingest.compound import HINT, Compound
from quoth.types import Document

KNOWN = ("VelvetSweatshop", "/01Hannes Ruescher/01")
"""Passwords of Excel and PowerPoint for files that everybody may open but not change."""


def read_sealed(data: bytes, path: str, password: str | None = None) -> tuple[Document, ...]:
    """What the reader of the file inside makes of it.

    Raises Encrypted when the password is missing or wrong, or the extra that decrypts is not installed.
    """
    from quoth.ingest import read_data

    streams = Compound(data).streams
    if "encryptioninfo" not in streams and any("drmtransform" in name for name in streams):
        raise ReadError("the file is protected by rights management", "save it without protection")
    return read_data(unsealed(data, password), path, password)


def unsealed(data: bytes, password: str | None) -> bytes:
    """The file as it was before it was encrypted. Raises Encrypted when the password is missing or wrong."""
    try:
        office = need("msoffcrypto", "office")
    except MissingPart as missing:
        raise Encrypted("the file is encrypted with a password", f"{missing.hint}, then {PASSWORD}") from None
    exceptions = need("msoffcrypto.exceptions", "office")
    for word in (password, *KNOWN):
        if not word:
            continue
        out = io.BytesIO()
        try:
            file = office.OfficeFile(io.BytesIO(data))
            if getattr(file, "format", "") == "ooxml":
                file.load_key(password=word, verify_password=True)
            else:
                file.load_key(password=word)
            file.decrypt(out)
        except exceptions.InvalidKeyError:
            continue
        except (MemoryError, RecursionError):
            raise
        except exceptions.DecryptionError:
            raise ReadError("the file is encrypted in a way that is not supported", "save it without it") from None
        except Exception as error:  # a library that takes the file's word for everything
            raise ReadError(f"the file is damaged: its encryption makes no sense ({error!s:.80})", HINT) from None
        return out.getvalue()
    if password:
        raise Encrypted("the file is encrypted, and the password does not open it")
    raise Encrypted("the file is encrypted with a password", PASSWORD)
