// The page that answers in the browser. Nothing is loaded and nothing is sent: the policy of the page forbids it.

import editor from "../annotation/editor.js";
import { isDicom, readDicom } from "./dicom.js";
import { facts, unpacked } from "./facts.js";
import { inPatient, mapped } from "./geometry.js";
import { findPoints, start } from "./network.js";
import { isPicture, readPicture } from "./picture.js";
import { ScanError, extent } from "./scan.js";

const here = (name) => document.getElementById(name);
const BRIGHTEST = 2 ** 16 - 1;

/** What the editor exchanges with Python in a notebook (see lumbar/annotation/editor.py), kept in the page instead. */
class Model {
  constructor() {
    this.values = { cases: [], marks: [], around: [], revision: 0, acknowledged: 0, notice: "", alone: true };
    this.listeners = [];
    this.slices = [];
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    this.values[name] = value;
    this.emit(`change:${name}`);
  }

  on(event, listener) {
    this.listeners.push([event, listener]);
  }

  off(event, listener) {
    this.listeners = this.listeners.filter(([one, other]) => one !== event || other !== listener);
  }

  emit(event, ...values) {
    for (const [name, listener] of this.listeners) if (name === event) listener(...values);
  }

  save_changes() {
    this.values.acknowledged = this.values.revision;
  }

  send({ case: position }) {
    const { pixels, ...about } = this.slices[position];
    queueMicrotask(() => this.emit("msg:custom", { kind: "slice", case: position, offset: 0, ...about }, [pixels]));
  }
}

const model = new Model();
const answers = []; // what was found in each image, in the order of the editor's cases
let coming = Promise.resolve();
let begun = false;
let saved = 0;

// -- from a file to points --------------------------------------------------------------------------------------------
/** Read files and find their points, one after the other; those of earlier images stay as they are. */
function take(files) {
  here("refused").replaceChildren();
  for (const file of files) coming = coming.then(() => answer(file)).catch((error) => refuse(file, error));
}

async function answer(file) {
  say(`Reading ${file.name} …`);
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  const scan = await read(file);
  const found = await findPoints(scan);
  show(file, scan, found);
  say(`${file.name}: ${found.flagged ? "flagged; check the points before you use them." : "not flagged."}`);
}

async function read(file) {
  if (file.size > facts.largestFile) {
    throw new ScanError("the file is too large for this page", {
      found: `${Math.round(file.size / 2 ** 20)} MB; it reads up to ${facts.largestFile / 2 ** 20} MB`,
      remedy: "give the file of a single image, or use `python -m lumbar predict`",
    });
  }
  let bytes;
  try {
    bytes = new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new ScanError("the file cannot be opened", { remedy: "give files, not folders" });
  }
  if (isPicture(bytes)) return readPicture(bytes);
  if (isDicom(bytes)) return readDicom(bytes);
  throw new ScanError("this is not a PNG, JPEG or DICOM file", { remedy: "give an image in one of these forms" });
}

function refuse(file, error) {
  const expected = error instanceof ScanError;
  if (!expected) console.error(error);
  const sentence = expected ? error.message : `The page failed on this file (${error.message}). Please report it.`;
  const kept = answers.length ? " The points of the other images are as they were." : "";
  const item = document.createElement("li");
  item.append(Object.assign(document.createElement("b"), { textContent: file.name }), ` – ${sentence}${kept}`);
  here("refused").append(item);
  say("");
}

function say(text) {
  here("progress").textContent = text;
}

// -- the editor -------------------------------------------------------------------------------------------------------
function show(file, scan, found) {
  const { points, confidence, absent, count, view } = found;
  const gone = Object.keys(absent).filter((name) => !points[name] && absent[name] > 0.5);
  const rounded = Object.fromEntries(
    Object.entries(points).map(([name, xy]) => [name, xy.map((value) => Math.round(value * 100) / 100)]),
  );
  const marked = { ...rounded, ...Object.fromEntries(gone.map((name) => [name, "absent"])) };
  const ghosts = { known: points, higher: count?.higher ?? {}, lower: count?.lower ?? {} };
  const looks = facts.belongs[view].map((name) => ({ name, ...facts.looks[name] }));
  answers.push({ file: file.name, scan: { ...scan, pixels: null }, found: { ...found, shown: null }, marked });
  model.slices.push(slice(found.shown));
  model.set("marks", [...model.get("marks"), { points: structuredClone(marked), offset: 0, done: false }]);
  model.set("around", [...model.get("around"), { own: 0, slices: [[file.name, null]] }]);
  model.set("cases", [
    ...model.get("cases"),
    { image: file.name, view, level: "", looks, flagged: found.flagged, ghosts, confidence },
  ]);
  here("answer").hidden = false;
  if (!begun) editor.render({ model, el: here("editor") });
  begun = true;
  here("answer").scrollIntoView({ block: "nearest" });
}

/** Return a scan as the editor shows it, see ShownSlice in lumbar/annotation/slices.py. */
function slice({ pixels, width, height, pixelWidth, pixelHeight, toShown, toNative }) {
  const [low, high] = extent(pixels);
  const sorted = pixels.slice().sort();
  const [darkest, brightest] = [0.005, 0.995].map((share) => sorted[Math.round(share * (sorted.length - 1))]);
  const scale = BRIGHTEST / (high - low || 1);
  return {
    width,
    height,
    low,
    high,
    brightest: BRIGHTEST,
    toShown,
    toNative,
    pixelWidth: pixelWidth ?? 1,
    pixelHeight: pixelHeight ?? 1,
    window: [(darkest + brightest) / 2, Math.max(brightest - darkest, (high - low) / BRIGHTEST)],
    pixels: Uint16Array.from(pixels, (value) => Math.round((value - low) * scale)),
  };
}

// -- what is said of the image in view --------------------------------------------------------------------------------
function explain(position) {
  const { scan, found } = answers[position];
  const percent = (share) => `${Math.round(100 * share)} %`;
  const sentences = (texts) =>
    texts.map((text) => {
      const item = document.createElement("li");
      item.textContent = `${text[0].toUpperCase()}${text.slice(1).replace(/\.$/, "")}.`;
      return item;
    });
  here("verdict").textContent = found.flagged ? "Flagged: check the points before you use them" : "Not flagged";
  here("verdict").className = found.flagged ? "tag warn" : "tag";
  here("reasons").replaceChildren(...sentences([...found.reasons, ...(found.judged ? [] : [facts.unjudged])]));
  const { oneHigher, oneLower } = found.count ?? {};
  const other = `one disc higher ${percent(oneHigher)}, one disc lower ${percent(oneLower)}`;
  const count = `count as found ${percent(1 - oneHigher - oneLower)}, ${other}`;
  const assumed = `the file does not state its plane; it was taken for ${found.view}`;
  const size = scan.pixelWidth
    ? `a pixel is ${scan.pixelWidth.toFixed(3)} × ${scan.pixelHeight.toFixed(3)} mm`
    : "the file does not state the size of a pixel";
  here("remarks").replaceChildren(
    ...sentences([
      ...(found.count ? [count] : []),
      ...(found.assumed ? [assumed] : []),
      ...scan.warnings,
      `${scan.width} × ${scan.height} pixels; ${size}`,
    ]),
  );
}

// -- saving -----------------------------------------------------------------------------------------------------------
/** Return all points as `python -m lumbar predict --out` writes them. A point that was moved has no confidence. */
function table() {
  const text = (value) => (/[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
  const number = (value) =>
    value === undefined || value === "" || Number.isNaN(value) ? "" : String(Math.round(value * 1e4) / 1e4);
  const lines = answers.flatMap(({ file, scan, found, marked }, position) =>
    facts.belongs[found.view].map((name) => {
      const xy = model.get("marks")[position].points[name];
      const isPoint = Array.isArray(xy);
      const same = JSON.stringify(xy) === JSON.stringify(marked[name]);
      // As found, a point keeps the decimals that the editor does not show.
      const [x, y] = isPoint ? (same ? found.points[name] : xy) : [];
      const [x_mm, y_mm, z_mm] = isPoint ? inPatient(scan, [x, y]) : [];
      const axial = found.view === "axial";
      const { count } = found;
      const [x_higher, y_higher] = count?.higher[name] ?? [];
      const [x_lower, y_lower] = count?.lower[name] ?? [];
      const row = {
        image: text(file),
        view: found.view,
        level: axial ? "" : name,
        side: axial ? name : "",
        x: number(x),
        y: number(y),
        confidence: same ? number(found.confidence[name]) : "",
        absent: same ? number(found.absent[name]) : isPoint ? "0" : xy ? "1" : "",
        flagged: found.judged || found.reasons.length ? (found.flagged ? "True" : "False") : "",
        x_mm: number(x_mm),
        y_mm: number(y_mm),
        z_mm: number(z_mm),
        frame: "",
        one_higher: number(count?.oneHigher),
        x_higher: number(x_higher),
        y_higher: number(y_higher),
        one_lower: number(count?.oneLower),
        x_lower: number(x_lower),
        y_lower: number(y_lower),
      };
      return facts.columns.map((column) => row[column]).join(",");
    }),
  );
  return [facts.columns.join(","), ...lines, ""].join("\n");
}

function save() {
  const address = URL.createObjectURL(new Blob([table()], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: address, download: "points.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address));
  saved = model.get("revision");
}

// -- the page ---------------------------------------------------------------------------------------------------------
function listen() {
  const input = here("file");
  const drop = here("drop");
  here("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = ""; // the same file may be chosen again
  });
  // Anywhere on the page, so that a file that misses the box does not replace the page and the points on it.
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget || drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
    else
      refuse(
        { name: "What was dropped" },
        new ScanError("this is not a file", { remedy: "drop a file of this computer" }),
      );
  });
  addEventListener("beforeunload", (event) => {
    if (model.get("revision") > saved) event.preventDefault(); // points that were moved would be lost
  });
  for (const button of document.querySelectorAll("[data-sample]")) {
    button.addEventListener("click", async () =>
      take([new File([await unpacked(button.dataset.sample)], button.dataset.name)]),
    );
  }
  here("save").addEventListener("click", save);
  here("editor").addEventListener("case", (event) => explain(event.detail));
}

listen();
start().then(
  () => {
    here("ready").textContent = "Ready.";
  },
  (error) => {
    here("ready").textContent = `The network cannot start in this browser: ${error.message}`;
  },
);
