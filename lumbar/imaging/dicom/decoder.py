"""Decode compressed pixels in a child process, so that a damaged or hostile file can crash only that.

The decoders are written in C and C++; some abort the process on unexpected bytes, and one may loop forever. `decode`
sends each frame to a child process, which starts with the first compressed image and serves the following ones. This
file is also the program that the child runs, so it imports nothing from the package. The child returns plain numbers,
never a pickle.
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
"""Time limit for one image, seconds; an image of 8192×8192 pixels takes a few seconds."""

MEMORY = 6 * 2**30
"""Limit for the address space of the child, bytes, on systems that can limit it."""

# Plugins may decode to different bytes, so the order is fixed. Only permissively licensed plugins are listed.
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
"""Transfer syntax → the plugins that decode it, in the order in which they are tried."""

_SIZES = struct.Struct("<2Q")  # lengths of a message's JSON and of the bytes after it


class DecodingError(Exception):
    """An image cannot be decoded; the message says why."""


def decode(coded: bytes, syntax: str, attributes: dict[str, Any]) -> np.ndarray:
    """Decode one frame.

    Args:
        coded: The codestream of the frame.
        syntax: UID of the transfer syntax, one of `DECODERS`.
        attributes: Values that pydicom's decoders need: rows, columns, samples_per_pixel, bits_allocated, bits_stored,
            pixel_representation, photometric_interpretation, planar_configuration.

    Returns:
        The stored values, (rows, columns) or (rows, columns, 3); colours as RGB.

    Raises:
        DecodingError: If the frame cannot be decoded, crashes the decoder, or takes longer than `SECONDS`.
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
            dismiss()  # the next frame starts another child
            why = f"the decoder took longer than {SECONDS} seconds" if late.is_set() else "the decoder crashed"
            raise DecodingError(why) from error
    if "problem" in answer:
        raise DecodingError(answer["problem"])
    return np.frombuffer(pixels, answer["dtype"]).reshape(answer["shape"])


_lock = threading.Lock()
_children: dict[int, subprocess.Popen] = {}  # by process id of the parent: a forked process starts its own child


def _child() -> subprocess.Popen:
    process = _children.get(os.getpid())
    if process is None:
        process = _children[os.getpid()] = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # some decoders print warnings there
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    return process


@atexit.register
def dismiss() -> None:
    """End the child process of this process, if there is one."""
    process = _children.pop(os.getpid(), None)
    if process is None:
        return
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # a pipe with unsent bytes cannot be flushed any more
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
    """Decode frames until the parent process ends."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a decoder must not print into the answers
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
        except BaseException as error:  # a panic in Rust raises a BaseException
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
    """Decode 12-bit JPEG Extended with GDCM, which pydicom does not use for it."""
    import gdcm

    if samples_per_pixel != 1:
        raise DecodingError("12-bit JPEG Extended in colour is not supported")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(coded)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((columns, rows, 1))
    image.SetDataElement(element)
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, bits_stored, bits_stored - 1, 0))
    pixels = image.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM returns bytes as text
    return np.frombuffer(pixels, np.uint16).reshape(rows, columns)


def _in_a_line(error: BaseException) -> str:
    """Return the last line of an error: the first one of pydicom's only says that all plugins failed."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


if __name__ == "__main__":
    _serve()
