// How an image lies. Mirrors nearest_view, upright and Plane of lumbar/geometry.py; tests.stress.page compares.
//
// Maps are [[a, b, c], [d, e, f]]: x' = a x + b y + c. Pixel centres are at whole numbers.

import { facts } from "./facts.js";

export const IDENTITY = [
  [1, 0, 0],
  [0, 1, 0],
];

export const mapped = (matrix, [x, y]) => matrix.map(([a, b, c]) => a * x + b * y + c);

const dot = (one, other) => one.reduce((sum, value, axis) => sum + value * other[axis], 0);

/** Return the anatomical plane nearest to an image's plane; null if its two directions are parallel. */
export function nearestView([[a, b, c], [d, e, f]]) {
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d].map(Math.abs);
  const largest = Math.max(...normal);
  return largest > 0 ? facts.views[normal.indexOf(largest)] : null;
}

/** Return the map from an image as it is stored to the same image as it is usually displayed, and whether it turns. */
export function upright(orientation, width, height) {
  const usual = facts.usualDisplay[nearestView(orientation)];
  const cosines = usual.map((shown) => orientation.map((stored) => dot(shown, stored)));
  const across = Math.abs(cosines[0][1]) + Math.abs(cosines[1][0]) > Math.abs(cosines[0][0]) + Math.abs(cosines[1][1]);
  const chosen = across
    ? [
        [0, 1],
        [1, 0],
      ]
    : [
        [1, 0],
        [0, 1],
      ];
  const last = [width - 1, height - 1]; // on a reversed axis the last pixel becomes the first
  const toShown = chosen.map((row, axis) => {
    const linear = row.map((one, stored) => (cosines[axis][stored] < 0 ? -one : one));
    return [...linear, linear.reduce((sum, value, stored) => sum + (value < 0 ? last[stored] : 0), 0)];
  });
  return { toShown, across };
}

/** Return the inverse of a map of right angles and mirrorings: its linear part is its own inverse, transposed. */
export function inverse([[a, b, c], [d, e, f]]) {
  return [
    [a, d, -(a * c + d * f)],
    [b, e, -(b * c + e * f)],
  ];
}

/** Return a scan as it is usually displayed: the same values in another order, none of them resampled. */
export function turnedUpright(scan) {
  const { width, height, pixels, orientation, pixelWidth, pixelHeight } = scan;
  if (!orientation) return { width, height, pixels, pixelWidth, pixelHeight, toShown: IDENTITY, toNative: IDENTITY };
  const { toShown, across } = upright(orientation, width, height);
  const toNative = inverse(toShown);
  const shown = across ? { width: height, height: width } : { width, height };
  const [[a, b, c], [d, e, f]] = toNative;
  const turned = new Float32Array(pixels.length);
  for (let y = 0, place = 0; y < shown.height; y++) {
    for (let x = 0; x < shown.width; x++) turned[place++] = pixels[(d * x + e * y + f) * width + (a * x + b * y + c)];
  }
  const sizes = across ? { pixelWidth: pixelHeight, pixelHeight: pixelWidth } : { pixelWidth, pixelHeight };
  return { ...shown, ...sizes, pixels: turned, toShown, toNative };
}

/** Return where a native pixel lies in the patient, mm (LPS); empty if the file does not say.
 *
 * Directions that the header rounds to three decimals are taken as they are: 0.3 mm at the far end of an image. */
export function inPatient({ position, orientation, pixelWidth, pixelHeight }, [x, y]) {
  if (!position || !orientation || !pixelWidth) return ["", "", ""];
  const [row, column] = orientation;
  return position.map((value, axis) => value + x * pixelWidth * row[axis] + y * pixelHeight * column[axis]);
}
