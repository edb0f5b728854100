// The scan: one image read from a file. Mirrors lumbar/imaging/scan.py and limits.py; tests.stress.page compares.

import { facts } from "./facts.js";

/** A file cannot be read, or not without guessing. The message says what was found, and what to do. */
export class ScanError extends Error {
  constructor(problem, { found, remedy } = {}) {
    const text = found === undefined || found === null ? problem : `${problem} (${found})`;
    super(`${text[0].toUpperCase()}${text.slice(1)}.${remedy ? ` What to do: ${remedy}.` : ""}`);
  }
}

/** Refuse an image that is empty or absurdly large, before its pixels are read. */
export function checkSize(width, height) {
  const largest = facts.largestSide;
  if (!(width > 0 && width <= largest && height > 0 && height <= largest)) {
    throw new ScanError("the picture's size is out of bounds", {
      found: `${width} × ${height} pixels`,
      remedy: `give an image of at most ${largest} pixels a side`,
    });
  }
}

/** Return the darkest and the brightest value of an array. */
export function extent(values) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

/** Return the first channel of an image in colour (`step` values a pixel); all three must be nearly equal. */
export function grey(colours, step) {
  const first = new Float32Array(colours.length / step);
  let spread = 0;
  for (let pixel = 0; pixel < first.length; pixel++) {
    const [red, green, blue] = [colours[pixel * step], colours[pixel * step + 1], colours[pixel * step + 2]];
    spread = Math.max(spread, Math.max(red, green, blue) - Math.min(red, green, blue));
    first[pixel] = red;
  }
  if (spread > 8) {
    throw new ScanError("the picture is in colour; a scan is grey", {
      found: `colour channels that differ by up to ${spread}`,
      remedy: "export the original series, not a secondary capture or a screenshot",
    });
  }
  return first;
}

/** Decode a JPEG as the browser does, and return red, green, blue and opacity of each pixel, 0 … 255. */
export async function decodedByBrowser(bytes) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }), { colorSpaceConversion: "none" });
  } catch {
    throw new ScanError("the picture is damaged", { remedy: "copy or export the file again" });
  }
  checkSize(bitmap.width, bitmap.height);
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return { width: bitmap.width, height: bitmap.height, data };
}
