"""Compressed pixels are decoded in another process, which a damaged or hostile picture may bring down.

The decoders are written in C and C++; some of them end the process on bytes that they do not expect, and one may loop.
`decode` asks a child process, started with the first compressed picture and kept for the next. This file is also the
program that the child runs, so it imports nothing of the package. What comes back is plain numbers, never a pickle.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from typing import Any, BinaryIO

import numpy as np

SECONDS = 60
"""A picture that takes longer than this is given up; one of 8192×8192 pixels takes a few."""

MEMORY = 6 * 2**30
"""Address space that the child may use, bytes, where the system can limit it."""

# Plugins may differ in bytes: one order, the permissively licensed ones only.
_JPEG_2000 = ("pylibjpeg", "gdcm")
_JPEG_LS = ("pyjpegls", "gdcm")
DECODERS: dict[str, tuple[str, ...]] = {
    "1.2.840.10008.1.2.4.50": ("gdcm",),
    "1.2.840.10008.1.2.4.51": ("gdcm", "gdcm, 12 bits"),
    "1.2.840.10008.1.2.4.57": ("gdcm",),
    "1.2.840.10008.1.2.4.70": ("gdcm",),
    "1.2.840.10008.1.2.4.80": _JPEG_LS,
    "1.2.840.10008.1.2.4.81": _JPEG_LS,
    "1.2.840.10008.1.2.4.90": _JPEG_2000,
    "1.2.840.10008.1.2.4.91": _JPEG_2000,
    "1.2.840.10008.1.2.4.201": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.202": ("pylibjpeg",),
    "1.2.840.10008.1.2.4.203": ("pylibjpeg",),
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),
}
"""Transfer syntax → who decodes it, the first choice first."""

_SIZES = struct.Struct("<2Q")  # of a message's JSON and of the bytes after it


class DecodingError(Exception):
    """Why a picture could not be decoded."""


def decode(coded: bytes, syntax: str, attributes: dict[str, Any]) -> np.ndarray:
    """Decode one frame.

    Args:
        coded: Its codestream.
        syntax: The UID of the transfer syntax, one of `DECODERS`.
        attributes: What pydicom's decoders ask for: rows, columns, samples_per_pixel, bits_allocated, bits_stored,
            pixel_representation, photometric_interpretation, planar_configuration.

    Returns:
        (rows, columns) or (rows, columns, 3), the stored values; colours as RGB.

    Raises:
        DecodingError: If it cannot be decoded, if the decoder died of it, or if it took too long.
    """
    late = threading.Event()
    with _lock:
        try:
            process = _child()
            watch = threading.Timer(SECONDS, lambda: (late.set(), process.kill()))
            watch.daemon = True
            watch.start()
            try:
                _send(process.stdin, {"syntax": syntax, "attributes": attributes}, coded)
                answer, pixels = _receive(process.stdout)
            finally:
                watch.cancel()
        except (OSError, EOFError) as error:
            dismiss()  # the next picture gets another one
            why = f"the decoder took longer than {SECONDS} seconds" if late.is_set() else "the decoder crashed"
            raise DecodingError(why) from error
    if "problem" in answer:
        raise DecodingError(answer["problem"])
    return np.frombuffer(pixels, answer["dtype"]).reshape(answer["shape"])


_lock = threading.Lock()
_children: dict[int, subprocess.Popen] = {}  # by the process whose child it is: a forked process starts its own


def _child() -> subprocess.Popen:
    process = _children.get(os.getpid())
    if process is None:
        process = _children[os.getpid()] = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # decoders write there whatever they please
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    return process


@atexit.register
def dismiss() -> None:
    """End the child, if there is one."""
    process = _children.pop(os.getpid(), None)
    if process is None:
        return
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not sent yet cannot be sent any more
            pipe.close()
    process.wait()


def _send(pipe: BinaryIO, message: dict[str, Any], content: bytes) -> None:
    words = json.dumps(message).encode()
    pipe.write(_SIZES.pack(len(words), len(content)) + words)
    pipe.write(content)
    pipe.flush()


def _receive(pipe: BinaryIO) -> tuple[dict[str, Any], bytes]:
    sizes = _SIZES.unpack(_read(pipe, _SIZES.size))
    words, content = (_read(pipe, size) for size in sizes)
    return json.loads(words), content


def _read(pipe: BinaryIO, size: int) -> bytes:
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return content


# -- the child ------------------------------------------------------------------------------------------------------
def _serve() -> None:
    """Answer until the parent is gone."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder that prints must not print into the answers
    _limit()
    while True:
        try:
            question, coded = _receive(sys.stdin.buffer)
        except EOFError:
            return
        try:
            pixels = np.ascontiguousarray(_decoded(coded, **question))
            _send(out, {"dtype": pixels.dtype.str, "shape": pixels.shape}, pixels.tobytes())
        except (KeyboardInterrupt, SystemExit):
            return
        except BaseException as error:  # a decoder's panic is no Exception
            _send(out, {"problem": _in_a_line(error)}, b"")


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _decoded(coded: bytes, syntax: str, attributes: dict[str, Any]) -> np.ndarray:
    import warnings

    from pydicom.encaps import encapsulate
    from pydicom.pixels import get_decoder

    warnings.simplefilter("ignore")
    problems = []
    for plugin in DECODERS[syntax]:
        try:
            if plugin == "gdcm, 12 bits":
                return _twelve_bits(coded, **attributes)
            options = {**attributes, "number_of_frames": 1, "pixel_keyword": "PixelData"}
            decoder = get_decoder(syntax)
            return decoder.as_array(encapsulate([coded]), index=0, decoding_plugin=plugin, **options)[0]
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            problems.append(_in_a_line(error))
    raise DecodingError("; ".join(dict.fromkeys(problems)))


def _twelve_bits(coded: bytes, rows: int, columns: int, bits_stored: int, samples_per_pixel: int, **_) -> np.ndarray:
    """JPEG Extended of 12 bits, which GDCM can decode but pydicom does not ask it to."""
    import gdcm

    if samples_per_pixel != 1:
        raise DecodingError("JPEG Extended of 12 bits in colour")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(coded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    picture = gdcm.Image()
    picture.SetNumberOfDimensions(2)
    picture.SetDimensions((columns, rows, 1))
    picture.SetDataElement(element)
    picture.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    picture.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    picture.SetPixelFormat(gdcm.PixelFormat(1, 16, bits_stored, bits_stored - 1, 0))
    pixels = picture.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM hands out bytes as text
    return np.frombuffer(pixels, np.uint16).reshape(rows, columns)


def _in_a_line(error: BaseException) -> str:
    """The last line that says anything: pydicom's first one only tells that all plugins failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


if __name__ == "__main__":
    _serve()
