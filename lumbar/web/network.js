// Ask the network: pixels go into the one-file graph of lumbar/engines/pixels_to_points.py, points come out.
//
// The graph prepares, decodes, calibrates and flags. What stands here is what only the file of an image can say (how it
// lies), why the graph flags, in words (lumbar/decoding/doubts.py), and whether a picture lies upside down
// (lumbar/orientation.py).

import * as ort from "onnxruntime-web/wasm";
import { facts, unpacked } from "./facts.js";
import { mapped, turnedUpright } from "./geometry.js";
import { ScanError, extent } from "./scan.js";

const about = facts.about;
let started = null;

/** Start the network, once. */
export function start() {
  started ??= (async () => {
    ort.env.wasm.numThreads = 1; // several threads need headers that a file or a plain server does not send
    const [runtime, graph] = await Promise.all([unpacked("runtime"), unpacked("graph")]);
    ort.env.wasm.wasmBinary = runtime;
    // The graph was simplified when the page was built; to do so again takes longer than an answer.
    return ort.InferenceSession.create(graph, { executionProviders: ["wasm"], graphOptimizationLevel: "disabled" });
  })();
  return started;
}

async function ask(session, { pixels, width, height, pixelWidth, pixelHeight }, view) {
  const feed = {
    pixels: new ort.Tensor("float32", pixels, [height, width]),
    view: new ort.Tensor("int64", BigInt64Array.of(BigInt(facts.views.indexOf(view))), []),
  };
  if (session.inputNames.includes("pixel_size")) {
    const size = pixelWidth && pixelHeight ? [pixelWidth, pixelHeight] : [1, 1];
    feed.pixel_size = new ort.Tensor("float32", Float32Array.from(size), [2]);
  }
  const outputs = await session.run(feed);
  return Object.fromEntries(session.outputNames.map((name) => [name, outputs[name].data]));
}

/** Find the points of a scan. */
export async function findPoints(scan) {
  const session = await start();
  const view = scan.view ?? about.views[0];
  checkFamiliar(scan, view);
  const shown = turnedUpright(scan);
  const found = await ask(session, shown, view);
  const points = {};
  const confidence = {};
  const absent = {};
  about.names.forEach((name, place) => {
    if (!facts.belongs[view].includes(name)) return;
    const xy = Array.from(found.points.slice(2 * place, 2 * place + 2));
    if (!xy.some(Number.isNaN)) points[name] = mapped(shown.toNative, xy);
    if (!Number.isNaN(found.confidence[place])) confidence[name] = found.confidence[place];
    absent[name] = found.absent[place];
  });
  const turn = scan.orientation ? "" : await howItLies(session, shown, view, found);
  const [oneHigher, oneLower] = found.miscounted;
  const count = Number.isNaN(oneHigher) || view === "axial" ? null : counted(found, points, shown, oneHigher, oneLower);
  const reasons = [
    ...doubts(view, points, confidence, absent, shown),
    ...(count?.doubts ?? []),
    ...(turn ? [`the picture looks ${turn} to the network`] : []),
  ];
  // A network without heatmaps gives no confidence, so that only `reasons` can flag an image.
  const judged = about.names.some((name, place) => name in absent && !Number.isNaN(found.probability[place]));
  const flagged = Boolean(found.flagged[0]) || Boolean(turn);
  return { view, assumed: !scan.view, shown, points, confidence, absent, count, flagged, judged, reasons };
}

function checkFamiliar(scan, view) {
  if (!about.views.includes(view)) {
    throw new ScanError("the network was not trained on this plane", { found: view });
  }
  const kind = facts.kinds[scan.modality] ?? "";
  if (kind && about.modalities.length && !about.modalities.includes(kind)) {
    throw new ScanError("the network was not trained on this kind of imaging", {
      found: `${kind}; it was trained on ${about.modalities.join(" and ")}`,
      remedy: "give an image of that kind",
    });
  }
  const [low, high] = extent(scan.pixels);
  if (low === high) throw new ScanError("the picture is one grey throughout");
}

/** Return what speaks against points, in sentences: low confidence, an unclear absence, levels that lie unevenly. */
function doubts(view, points, confidence, absent, shown) {
  const names = facts.belongs[view];
  const percent = (share) => `${Math.round(100 * share)} %`;
  const low = names.filter((name) => confidence[name] < about.doubtful);
  const unclear = names.filter((name) => Math.abs(absent[name] - 0.5) < 0.5 - facts.undecided);
  return [
    ...low.map(
      (name) => `the confidence of ${name} is ${percent(confidence[name])}, less than ${percent(about.doubtful)}`,
    ),
    ...unclear.map((name) => `it is not clear whether the image shows ${name}`),
    ...(view === "axial" ? [] : uneven(names, points, shown)),
  ];
}

/** See `uneven_gaps` in lumbar/decoding/doubts.py. Distances are compared in the 256 frame. */
function uneven(names, points, shown) {
  const letterboxed = about.resize !== "stretch";
  const [across, down] = letterboxed
    ? [shown.pixelWidth ?? 1, shown.pixelHeight ?? 1]
    : [256 / shown.width, 256 / shown.height];
  const there = names.map((name) => points[name] && mapped(shown.toShown, points[name]));
  const gaps = there.slice(1).map((below, place) => {
    const above = there[place];
    return above && below ? Math.hypot((below[0] - above[0]) * across, (below[1] - above[1]) * down) : NaN;
  });
  const known = gaps.filter((gap) => !Number.isNaN(gap)).sort((one, other) => one - other);
  const median = (known[Math.floor((known.length - 1) / 2)] + known[Math.floor(known.length / 2)]) / 2;
  return gaps.flatMap((gap, place) => {
    const share = gap / Math.max(median, 1e-6);
    if (!(share < facts.gaps[0] || share > facts.gaps[1])) return [];
    const how = share < facts.gaps[0] ? "close together" : "far apart";
    return [`${names[place]} and ${names[place + 1]} lie unusually ${how}`];
  });
}

/** Return how sure the network is which disc is which, see `Count` in lumbar/decoding/doubts.py; native pixels. */
function counted(found, points, shown, oneHigher, oneLower) {
  const beyond = [0, 1].map((place) => {
    const xy = Array.from(found.neighbours.slice(2 * place, 2 * place + 2));
    return xy.some(Number.isNaN) ? undefined : mapped(shown.toNative, xy);
  });
  const names = facts.belongs.sagittal;
  const row = [beyond[0], ...names.map((name) => points[name]), beyond[1]];
  const taken = (from) =>
    Object.fromEntries(names.flatMap((name, place) => (row[place + from] ? [[name, row[place + from]]] : [])));
  const ways = { higher: oneHigher, lower: oneLower };
  const likely = Object.keys(ways).filter((way) => ways[way] >= facts.miscounted / 2);
  const doubtful = oneHigher + oneLower > facts.miscounted;
  return {
    oneHigher,
    oneLower,
    higher: taken(0),
    lower: taken(2),
    doubts: doubtful ? [`the levels may all lie one disc ${likely.join(" or ")}`] : [],
  };
}

/** Return how a picture seems to lie whose file does not say, see `detect_orientation` in lumbar/orientation.py. */
async function howItLies(session, shown, view, found) {
  const own = about.names.flatMap((name, place) => (facts.belongs[view].includes(name) ? [place] : []));
  const meanLogOdds = ({ probability }) => {
    const odds = own.map((place) => {
      const bounded = Math.min(Math.max(probability[place], facts.least), 1 - 1e-6);
      return Math.log(bounded / (1 - bounded));
    });
    return odds.reduce((sum, each) => sum + each, 0) / odds.length;
  };
  let best = meanLogOdds(found) + facts.margin;
  let answer = "";
  if (Number.isNaN(best)) return answer;
  for (const [name, [rows, columns, planes]] of Object.entries(facts.turns)) {
    if (!planes.includes(view)) continue;
    const { width, height } = shown;
    const pixels = new Float32Array(shown.pixels.length);
    for (let y = 0, place = 0; y < height; y++) {
      const row = (rows < 0 ? height - 1 - y : y) * width;
      for (let x = 0; x < width; x++) pixels[place++] = shown.pixels[row + (columns < 0 ? width - 1 - x : x)];
    }
    const odds = meanLogOdds(await ask(session, { ...shown, pixels }, view));
    if (odds > best) [best, answer] = [odds, name];
  }
  return answer;
}
