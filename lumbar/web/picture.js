// Read PNG and JPEG files. Mirrors lumbar/imaging/picture.py; tests.stress.page compares.

import { convertIndexedToRgb, decode } from "fast-png";
import { facts } from "./facts.js";
import { ScanError, checkSize, decodedByBrowser, grey } from "./scan.js";

const PNG = [0x89, 0x50, 0x4e, 0x47];
const JPEG = [0xff, 0xd8, 0xff];
const begins = (bytes, magic) => magic.every((value, place) => bytes[place] === value);

/** Return whether bytes begin as a PNG or JPEG file does, whatever its name. */
export const isPicture = (bytes) => begins(bytes, PNG) || begins(bytes, JPEG);

/** Read a PNG or JPEG file. */
export async function readPicture(bytes) {
  return begins(bytes, PNG) ? fromPng(bytes) : fromJpeg(bytes);
}

function fromPng(bytes) {
  const header = new DataView(bytes.buffer, bytes.byteOffset);
  checkSize(header.getUint32(16), header.getUint32(20)); // before memory is allocated for them
  let picture;
  try {
    picture = decode(bytes);
  } catch (error) {
    throw new ScanError("the picture is damaged", { found: error.message, remedy: "copy or export the file again" });
  }
  const { width, height, depth, palette } = picture;
  if (depth === 1 && !palette) throw new ScanError("the file holds a one-bit mask, not a scan");
  const data = palette ? convertIndexedToRgb(picture) : depth < 8 ? spread(picture) : picture.data;
  const step = palette ? palette[0].length : picture.channels;
  // Pillow reads grey of 16 bits as it is, and any colour as 8 bits.
  const eighth = depth === 16 && step > 1 ? Uint8Array.from(data, (value) => value >> 8) : data;
  const [opaque, transparent] = onBlack(eighth, step, picture);
  return {
    width,
    height,
    pixels: step < 3 ? firstOf(opaque, step) : grey(opaque, step),
    warnings: remarks(transparent, step),
  };
}

async function fromJpeg(bytes) {
  const turned = exifOrientation(bytes);
  if (turned !== 1) {
    throw new ScanError("the picture must be rotated or mirrored for display", {
      found: `EXIF Orientation ${turned}`,
      remedy: "open it in an image editor and save it as it is shown",
    });
  }
  const { width, height, data } = await decodedByBrowser(bytes);
  return { width, height, pixels: grey(data, 4), warnings: [] };
}

/** Return greys of 2 or 4 bits as one value a pixel, 0 … 255. */
function spread({ width, height, depth, data }) {
  const values = new Uint8Array(width * height);
  const row = Math.ceil((width * depth) / 8);
  const most = 2 ** depth - 1;
  for (let place = 0; place < values.length; place++) {
    const bit = (place % width) * depth;
    const byte = data[Math.floor(place / width) * row + (bit >> 3)];
    values[place] = (((byte >> (8 - depth - (bit & 7))) & most) * 255) / most;
  }
  return values;
}

/** Return the pixels on a black background, and whether any of them is transparent. */
function onBlack(data, step, { palette, depth, transparency }) {
  // In some files one grey or colour stands for transparent.
  const keyed = !palette && step % 2 === 1 && transparency?.length === step;
  if (!keyed && step % 2) return [data, false];
  const most = 2 ** depth - 1;
  const key = keyed
    ? Array.from(transparency, (value) =>
        depth < 8 ? (value * 255) / most : depth === 16 && step > 1 ? value >> 8 : value,
      )
    : [];
  const pixels = data.slice();
  let clear = 0;
  let shown = 0;
  for (let place = 0; place < data.length; place += step) {
    const opacity = !keyed
      ? data[place + step - 1]
      : key.every((value, channel) => data[place + channel] === value)
        ? 0
        : 255;
    if (opacity < 255) clear++;
    if (opacity > 0) shown++;
    const colours = keyed ? step : step - 1;
    for (let channel = 0; channel < colours; channel++) {
      pixels[place + channel] = Math.floor((data[place + channel] * opacity + 127) / 255);
    }
  }
  if (!shown) {
    throw new ScanError("every pixel of the picture is transparent", {
      remedy: "export the picture without transparency",
    });
  }
  return [pixels, clear > 0];
}

const firstOf = (data, step) => Float32Array.from({ length: data.length / step }, (_, pixel) => data[pixel * step]);

function remarks(transparent, step) {
  const { greyInColour, transparent: seen } = facts.remarks;
  return [...(step > 1 ? [greyInColour] : []), ...(transparent ? [seen] : [])];
}

/** Return the EXIF Orientation of a JPEG file (TIFF 6.0, section 8; Exif 2.32, 4.6.4); 1 if it states none. */
function exifOrientation(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    for (let place = 2; view.getUint8(place) === 0xff && view.getUint8(place + 1) !== 0xda;) {
      const length = view.getUint16(place + 2);
      if (view.getUint16(place) === 0xffe1 && view.getUint32(place + 4) === 0x45786966) {
        const begin = place + 10;
        const little = view.getUint16(begin) === 0x4949;
        const entries = begin + view.getUint32(begin + 4, little);
        for (let entry = 0; entry < view.getUint16(entries, little); entry++) {
          const at = entries + 2 + 12 * entry;
          if (view.getUint16(at, little) === 0x0112) return view.getUint16(at + 8, little);
        }
      }
      place += 2 + length;
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // the file ends within its header: the decoder will say so
  }
  return 1;
}
