// Read one frame of a DICOM file. Mirrors lumbar/imaging/dicom/; tests.stress.page compares.
//
// dcmjs parses the elements. What is checked here is what would otherwise give another image without a word.

import dcmjs from "dcmjs";
import { facts } from "./facts.js";
import { nearestView, upright } from "./geometry.js";
import { ScanError, checkSize, decodedByBrowser, extent, grey } from "./scan.js";

const NATIVE = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]; // implicit and explicit VR, both little endian
const RLE = "1.2.840.10008.1.2.5";
const JPEG_BASELINE = "1.2.840.10008.1.2.4.50";
const EXPORT = "export the series again, uncompressed if that is offered";

/** Return whether a file begins as a DICOM file does (PS3.10, 7.1), whatever its name. */
export const isDicom = (bytes) => String.fromCharCode(...bytes.subarray(128, 132)) === "DICM";

/** Read a DICOM file of one frame. */
export async function readDicom(bytes) {
  const [header, syntax] = parsed(bytes);
  checkHeader(header);
  const { Rows: height, Columns: width } = header;
  const stored = await storedValues(header, syntax);
  const remarks = stored.inColour ? [facts.remarks.greyInColour] : [];
  const pixels = signal(header, rescaled(header, stored.values), stored.values, remarks);
  const spacing = numbers(header.PixelSpacing, 2);
  if (header.PixelSpacing !== undefined && !(spacing && Math.min(...spacing) > 0)) {
    throw new ScanError("the pixel spacing is not a pair of positive numbers", {
      found: `PixelSpacing ${header.PixelSpacing}`,
      remedy: "export the series again; do not guess it",
    });
  }
  const [position, orientation] = placed(header);
  const view = orientation && nearestView(orientation);
  if (orientation && !isIdentity(upright(orientation, width, height).toShown)) remarks.push(facts.remarks.turned);
  return {
    width,
    height,
    pixels,
    position,
    orientation,
    view,
    warnings: remarks,
    pixelHeight: spacing?.[0],
    pixelWidth: spacing?.[1],
    modality: String(header.Modality ?? "")
      .trim()
      .toUpperCase(),
  };
}

function parsed(bytes) {
  const syntax = transferSyntax(bytes);
  if (![...NATIVE, RLE, JPEG_BASELINE].includes(syntax)) {
    throw new ScanError("this page does not decode this kind of compression", {
      found: facts.syntaxes[syntax] ?? `transfer syntax ${syntax || "missing"}`,
      remedy: `${EXPORT}, or use \`python -m lumbar predict\`, which reads more kinds`,
    });
  }
  try {
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    const { dict } = dcmjs.data.DicomMessage.readFile(buffer);
    const elements = Object.entries(dcmjs.data.DicomMetaDictionary.naturalizeDataset(dict));
    const isEmpty = (value) => value === null || value === "" || (Array.isArray(value) && !value.length);
    return [Object.fromEntries(elements.filter(([, value]) => !isEmpty(value))), syntax];
  } catch (error) {
    // a damaged header may raise anything
    throw new ScanError("the DICOM header is damaged", { found: error.message, remedy: "export the file again" });
  }
}

/** Return the transfer syntax that the meta information states (PS3.10, 7.1); "" if it states none. */
function transferSyntax(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (from, length) => String.fromCharCode(...bytes.subarray(from, from + length)).replace(/[\0 ]+$/, "");
  for (let place = 132; place + 12 <= bytes.length && view.getUint16(place, true) === 2;) {
    const long = ["OB", "OW", "SQ", "UN", "UT"].includes(text(place + 4, 2));
    const length = long ? view.getUint32(place + 8, true) : view.getUint16(place + 6, true);
    const begin = place + (long ? 12 : 8);
    if (view.getUint16(place + 2, true) === 0x0010) return text(begin, Math.min(length, 64));
    place = begin + length;
  }
  return "";
}

function checkHeader(header) {
  if (header.PixelData === undefined || header.Rows === undefined || header.Columns === undefined) {
    throw new ScanError("the file holds no picture", { remedy: "give a file of an image series" });
  }
  checkSize(header.Columns, header.Rows);
  if (Number(header.NumberOfFrames ?? 1) > 1) {
    throw new ScanError("the file holds several frames, and this page shows one", {
      found: `${header.NumberOfFrames} frames`,
      remedy: "use `python -m lumbar predict --frame N`, or export single images",
    });
  }
  if (header.BitsAllocated === 1) throw new ScanError("the file holds a one-bit mask, not a scan");
  if (header.PhotometricInterpretation === "PALETTE COLOR") {
    throw new ScanError("the pixel values are indices of palette colours, not signal", {
      remedy: "export the original series",
    });
  }
  if (header.ModalityLUTSequence !== undefined) {
    throw new ScanError("this page does not read images with a Modality LUT", {
      remedy: "use `python -m lumbar predict`",
    });
  }
  const {
    SamplesPerPixel: samples,
    BitsAllocated: allocated,
    BitsStored: stored,
    PixelRepresentation: signed,
  } = header;
  const fits = [1, 3].includes(samples) && [8, 16, 32].includes(allocated) && stored > 0 && stored <= allocated;
  if (
    !fits ||
    ![0, 1].includes(signed) ||
    (header.HighBit ?? stored - 1) !== stored - 1 ||
    (samples === 3 && allocated > 8)
  ) {
    throw new ScanError("the bit layout of the pixels is missing or not supported", {
      found: `${samples} samples, ${stored} of ${allocated} bits`,
      remedy: "export the series again",
    });
  }
  if (facts.noScans[header.SOPClassUID]) {
    throw new ScanError(`the file holds ${facts.noScans[header.SOPClassUID]}, not a scan`, {
      remedy: "give the scan itself",
    });
  }
}

/** Return the stored value of each pixel, without the bits beyond Bits Stored, which mean nothing (PS3.5, 8.1.1). */
async function storedValues(header, syntax) {
  const {
    Rows: height,
    Columns: width,
    SamplesPerPixel: samples,
    BitsAllocated: allocated,
    BitsStored: stored,
  } = header;
  // A compressed frame may come in several fragments (PS3.5, A.4).
  const coded = new Uint8Array(await new Blob([header.PixelData].flat()).arrayBuffer());
  if (syntax === JPEG_BASELINE) {
    const picture = await decodedByBrowser(coded);
    if (picture.width !== width || picture.height !== height) {
      throw new ScanError("the compressed picture does not match the header", { remedy: "export the series again" });
    }
    return { values: grey(picture.data, 4), inColour: samples === 3 };
  }
  const needed = width * height * samples * (allocated / 8);
  const raw = syntax === RLE ? unpackedRle(coded, width * height, samples, allocated / 8) : coded;
  if (raw.length < needed) {
    throw new ScanError("the pixels are cut short", {
      found: `${raw.length} of ${needed} bytes`,
      remedy: "copy or export the file again",
    });
  }
  const kinds = { 8: [Uint8Array, Int8Array], 16: [Uint16Array, Int16Array], 32: [Uint32Array, Int32Array] };
  const values = new kinds[allocated][header.PixelRepresentation](raw.slice(0, needed).buffer);
  const unused = 32 - stored;
  for (let place = 0; unused && place < values.length; place++) {
    values[place] = header.PixelRepresentation
      ? (values[place] << unused) >> unused
      : (values[place] << unused) >>> unused;
  }
  if (samples === 1) return { values, inColour: false };
  // RLE keeps the colours in planes whatever the header says (PS3.5, G.2).
  const planes = syntax === RLE || header.PlanarConfiguration === 1;
  const count = width * height;
  const beside = planes ? values.map((_, place) => values[(place % 3) * count + Math.floor(place / 3)]) : values;
  return { values: grey(beside, 3), inColour: true };
}

/** Decode a frame of DICOM RLE (PS3.5, annex G): PackBits for each byte of a pixel, the highest one first. */
function unpackedRle(coded, count, samples, bytes) {
  const header = new DataView(coded.buffer, coded.byteOffset, coded.byteLength);
  const damaged = () => new ScanError("the compressed pixels are damaged", { found: "RLE", remedy: EXPORT });
  const planes = samples * bytes;
  if (coded.length < 64 || header.getUint32(0, true) !== planes) throw damaged();
  const raw = new Uint8Array(count * planes);
  for (let plane = 0; plane < planes; plane++) {
    let from = header.getUint32(4 + 4 * plane, true);
    let to = 0;
    // The bytes of a sample follow each other from the lowest, samples of a colour image in planes.
    const begin = Math.floor(plane / bytes) * count * bytes + (bytes - 1 - (plane % bytes));
    while (to < count) {
      if (from >= coded.length) throw damaged();
      const code = coded[from++];
      if (code === 128) continue;
      const length = code < 128 ? code + 1 : 257 - code;
      for (let step = 0; step < length && to < count; step++, to++)
        raw[begin + to * bytes] = coded[code < 128 ? from + step : from];
      from += code < 128 ? length : 1;
    }
  }
  return raw;
}

function rescaled(header, stored) {
  const { RescaleSlope, RescaleIntercept } = header;
  if (RescaleSlope === undefined && RescaleIntercept === undefined) return Float32Array.from(stored);
  const both = numbers([RescaleSlope, RescaleIntercept].flat(), 2);
  if (!both || both[0] === 0) {
    throw new ScanError("the rescale slope or intercept is missing or invalid", {
      found: `${RescaleSlope}, ${RescaleIntercept}`,
    });
  }
  const [slope, intercept] = both.map(Math.fround);
  return Float32Array.from(stored, (value) => Math.fround(Math.fround(value) * slope) + intercept);
}

/** Return the pixels with padding made black, and larger values brighter. */
function signal(header, pixels, stored, remarks) {
  const [low, high] = extent(pixels);
  if (!(low >= -facts.largestValue && high <= facts.largestValue)) {
    throw new ScanError("some pixels are not finite numbers", { remedy: "export the series again" });
  }
  const inverse =
    String(header.PresentationLUTShape ?? "")
      .trim()
      .toUpperCase() === "INVERSE";
  const why =
    header.PhotometricInterpretation === "MONOCHROME1"
      ? "MONOCHROME1"
      : inverse && header.PhotometricInterpretation === "MONOCHROME2"
        ? "PresentationLUTShape INVERSE"
        : "";
  const isPadding = padding(header, stored);
  if (isPadding) {
    const [darkest, brightest] = extent(pixels.filter((_, place) => !isPadding(stored[place])));
    const [least, most] = extent(pixels.filter((_, place) => isPadding(stored[place])));
    if (most < darkest || least > brightest) {
      // otherwise the header's statement is not credible
      pixels = pixels.map((value, place) => (isPadding(stored[place]) ? (why ? brightest : darkest) : value));
      remarks.push(facts.remarks.padded);
    }
  }
  if (!why) return pixels;
  remarks.push(`stored with black as the highest value (${why}); inverted`);
  const [darkest, brightest] = extent(pixels);
  const sum = Math.fround(darkest + brightest);
  return pixels.map((value) => sum - value);
}

/** Return a function that tells whether a stored value is padding (PS3.3, C.7.5.1.1.2); null if none or all are. */
function padding(header, stored) {
  const value = Number([header.PixelPaddingValue].flat()[0] ?? NaN);
  if (!Number.isInteger(value)) return null;
  const limit = Number([header.PixelPaddingRangeLimit].flat()[0] ?? value);
  const kind = stored.constructor; // the header may state it as an unsigned number though the pixels are signed
  const ends = [value, limit].map((each) => kind.of(each)[0]);
  const is = (each) => each >= Math.min(...ends) && each <= Math.max(...ends);
  return stored.some(is) && !stored.every(is) ? is : null;
}

/** Return the values as numbers, or null unless they are exactly `count` finite numbers. */
function numbers(values, count) {
  const found = [values].flat().map((value) => (value === "" || value === null ? NaN : Number(value)));
  return found.length === count && found.every(Number.isFinite) ? found : null;
}

/** Return position and orientation of the image in the patient (LPS); each is null if the file does not state it. */
function placed(header) {
  const { ImagePositionPatient, ImageOrientationPatient } = header;
  const where = ImagePositionPatient === undefined ? null : numbers(ImagePositionPatient, 3);
  const six = ImageOrientationPatient === undefined ? null : numbers(ImageOrientationPatient, 6);
  const invalid = (ImagePositionPatient !== undefined && !where) || (ImageOrientationPatient !== undefined && !six);
  const [row, column] = six ? [six.slice(0, 3), six.slice(3)] : [];
  const product = (one, other) => one.reduce((sum, value, axis) => sum + value * other[axis], 0);
  const away = six
    ? Math.max(Math.abs(product(row, column)), Math.abs(product(row, row) - 1), Math.abs(product(column, column) - 1))
    : 0;
  if (invalid || away > facts.mostRounded) {
    throw new ScanError("the picture's position or orientation in the patient is invalid", {
      found: `${ImagePositionPatient}, ${ImageOrientationPatient}`,
      remedy: "export the series again",
    });
  }
  return [where, six && [row, column]];
}

const isIdentity = ([[a, b], [d, e]]) => a === 1 && b === 0 && d === 0 && e === 1;
