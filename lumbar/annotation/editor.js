// The editor of lumbar.annotation: an image with named points on it. See editor.py for what the two sides exchange.
// The page of lumbar.web shows it, too. There `alone` is true: there is no notebook, and images are not marked as done.
//
// Frames: "native" is a pixel of the file, "shown" a pixel of the slice turned upright, "stage" a CSS pixel of the box
// in which it is shown. Points are kept in native pixels; the centre of the first pixel is (0, 0).

const NEAR = 14; // CSS pixels: a press this close to a point takes it
const STILL = 4; // CSS pixels: a press that moves less is a click
const TURN = 60; // how far a wheel turns for one slice
const REMEMBERED = 40; // slices that stay in the browser
const PATIENCE = 5000; // ms without an answer from Python before the editor says so
const ABSENT = "absent";

const KEYS = [
  ["click", "place the selected point; it moves on to the next one"],
  ["drag a point", "move it"],
  ["drag the image", "pan"],
  ["drag with the right button", "change the window: across its width, down its centre"],
  ["wheel", "zoom; through the slices of a series (then zoom with Ctrl)"],
  ["1 … 9", "select a point"],
  ["arrow keys", "move the selected point by one pixel, with Shift by ten, with Alt by a tenth"],
  ["Space", "place the selected point in the middle of the view"],
  ["Delete", "remove the selected point"],
  ["A", "the image does not show this level"],
  ["Z, Shift+Z", "undo, redo"],
  ["+, −, 0", "zoom in, zoom out, show all"],
  ["[ ], { }", "narrower and wider window, darker and brighter"],
  [", .", "previous and next slice", "in a notebook"],
  ["G", "show or hide what was known before; again: as if counted one disc higher, one lower"],
  ["Enter", "these points are right: done, next image", "in a notebook"],
  ["P, N", "previous and next image"],
  ["Esc", "leave the editor; the keys are the notebook's again", "in a notebook"],
];

const GHOSTS = ["known", "higher", "lower"];
const GHOST_WORDS = { known: "as known before", higher: "as if counted one disc higher", lower: "as if counted one disc lower" };

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value != null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const mapped = (matrix, [x, y]) => matrix.map(([a, b, c]) => a * x + b * y + c);
const clamped = (value, low, high) => Math.min(Math.max(value, low), high);

/** Undo and redo of each model: several views of one session share them. */
const HISTORIES = new WeakMap();

class Editor {
  constructor(model, host) {
    this.model = model;
    this.at = 0; // position of the case
    this.offset = 0; // slice in view, counted from the case's own
    this.selected = null;
    this.ghost = this.case.ghosts.known ? 0 : -1; // which of GHOSTS is shown
    this.slices = new Map(); // "case:offset" → what Python sent
    const key = model.get("cases"); // each view gets a model object of its own, but the same list
    if (!HISTORIES.has(key)) HISTORIES.set(key, { past: [], future: [] });
    ({ past: this.past, future: this.future } = HISTORIES.get(key));
    this.build(host);
    this.listeners = [
      ["change:cases", () => this.open(this.cases.length - 1)], // further images have come
      ["change:marks", () => this.show()],
      ["change:around", () => this.show()],
      ["change:notice", () => this.show()],
      ["change:acknowledged", () => this.expect()],
      ["msg:custom", (message, buffers) => this.receive(message, buffers)],
    ];
    for (const [event, listener] of this.listeners) model.on(event, listener);
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(this.stage);
    this.open(this.firstToDo(0) ?? 0);
  }

  remove() {
    for (const [event, listener] of this.listeners) this.model.off(event, listener);
    this.resized.disconnect();
    clearTimeout(this.waiting);
  }

  // -- what is known --------------------------------------------------------------------------------------------------
  get cases() { return this.model.get("cases"); }
  get case() { return this.cases[this.at]; }
  get alone() { return Boolean(this.model.get("alone")); }
  get names() { return this.case.looks.map((look) => look.name); }
  get marks() { return this.model.get("marks")[this.at]; }
  get around() { return this.model.get("around")[this.at]; }
  get slice() { return this.slices.get(`${this.at}:${this.offset}`); }

  firstToDo(from) {
    const marks = this.model.get("marks");
    const order = [...marks.keys()].map((position) => (from + position) % marks.length);
    return order.find((position) => !marks[position].done);
  }

  /** The point to place after another one: the nearest that is not marked, so that one may go down or up. */
  unmarked(after) {
    const from = after === undefined ? -1 : this.names.indexOf(after);
    const far = (name) => Math.abs(this.names.indexOf(name) - from - 0.25);
    const open = this.names.filter((name) => !(name in this.marks.points));
    return open.sort((one, other) => far(one) - far(other))[0];
  }

  // -- the page -------------------------------------------------------------------------------------------------------
  build(host) {
    const button = (label, act, title, others = {}) => {
      const onclick = ({ detail }) => {
        act();
        if (detail) this.root.focus({ preventScroll: true }); // after a click, Enter means "done" again
      };
      return element("button", { type: "button", title, ...others, onclick }, label);
    };
    this.heading = element("div", { class: "heading" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.overlay = drawn("svg", { "aria-hidden": "true" });
    this.stage = element("div", { class: "stage" }, this.canvas, this.overlay);
    this.palette = element("div", { class: "palette", role: "radiogroup", "aria-label": "Point to place" });
    this.status = element("div", { class: "status", role: "status", "aria-live": "polite" });
    this.alarm = element("div", { class: "alarm", role: "alert", hidden: true });
    this.ghostButton = button("Show before", () => this.nextGhost(), "G");
    this.paging = [
      button("◀ Previous", () => this.open(this.at - 1), "P"),
      button("Next ▶", () => this.open(this.at + 1), "N"),
    ];
    const tools = element(
      "div", { class: "tools" },
      ...this.paging,
      button("Undo", () => this.undo(), "Z"),
      button("Redo", () => this.redo(), "Shift+Z"),
      button("Remove", () => this.forget(), "Delete"),
      button("Not in the image", () => this.declareAbsent(), "A"),
      this.ghostButton,
      button("Show all", () => this.fit(), "0"),
      button("Done, next", () => this.finish(), "Enter", { class: "done", hidden: this.alone }),
    );
    const row = ([key, meaning]) => element("tr", {}, element("th", { scope: "row" }, key), element("td", {}, meaning));
    const rows = KEYS.filter(([, , where]) => !(where && this.alone)).map(row);
    const help = element("details", {}, element("summary", {}, "Mouse and keys"), element("table", {}, ...rows));
    this.root = element(
      "div",
      {
        class: "lumbar-editor", tabindex: "0", role: "application", "aria-label": "Editor of points on an image",
        "data-lm-suppress-shortcuts": "true", // JupyterLab would take the keys for its own
      },
      this.heading, this.alarm, element("div", { class: "body" }, this.stage, element("div", { class: "side" }, this.palette, tools)),
      this.status, help,
    );
    host.append(this.root);
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.stage.addEventListener("pointerdown", (event) => this.press(event));
    this.stage.addEventListener("pointermove", (event) => this.move(event));
    this.stage.addEventListener("pointerup", (event) => this.release(event));
    this.stage.addEventListener("pointercancel", () => { this.held = null; this.show(); });
    this.stage.addEventListener("contextmenu", (event) => {
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would open a menu of its own
    });
    this.stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  open(position) {
    if (position < 0 || position >= this.cases.length) return;
    this.at = position;
    this.offset = this.marks.offset;
    this.selected = this.unmarked() ?? this.names[0];
    this.window = null;
    this.held = null;
    this.warned = null;
    this.fit();
    this.root.dispatchEvent(new CustomEvent("case", { detail: position, bubbles: true }));
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (this.slice?.pixels && width) {
      const { width: columns, height: rows, pixelWidth, pixelHeight } = this.slice;
      const scale = Math.min(width / (columns * pixelWidth), height / (rows * pixelHeight));
      this.view = { scale, x: (width - columns * pixelWidth * scale) / 2, y: (height - rows * pixelHeight * scale) / 2 };
    } else this.view = null;
    this.show();
  }

  ask() {
    const key = `${this.at}:${this.offset}`;
    if (this.slices.has(key)) return;
    if (this.slices.size >= REMEMBERED) this.slices.delete(this.slices.keys().next().value);
    this.slices.set(key, {}); // asked for
    this.tell({ kind: "slice", case: this.at, offset: this.offset });
  }

  receive(message, buffers) {
    const key = `${message.case}:${message.offset}`;
    if (message.kind === "problem") this.slices.set(key, { problem: message.text });
    if (message.kind === "slice") {
      const { buffer, byteOffset, byteLength } = buffers[0];
      this.slices.set(key, { ...message, pixels: new Uint16Array(buffer.slice(byteOffset, byteOffset + byteLength)) });
    }
    if (key === `${this.at}:${this.offset}`) this.view ? this.show() : this.fit();
  }

  // -- frames ---------------------------------------------------------------------------------------------------------
  toStage(native) {
    const [x, y] = mapped(this.slice.toShown, native);
    const { scale, x: left, y: top } = this.view;
    return [(x + 0.5) * this.slice.pixelWidth * scale + left, (y + 0.5) * this.slice.pixelHeight * scale + top];
  }

  toNative([x, y]) {
    const { scale, x: left, y: top } = this.view;
    const shown = [
      clamped((x - left) / (this.slice.pixelWidth * scale) - 0.5, -0.5, this.slice.width - 0.5),
      clamped((y - top) / (this.slice.pixelHeight * scale) - 0.5, -0.5, this.slice.height - 0.5),
    ];
    return mapped(this.slice.toNative, shown).map((value) => Math.round(value * 100) / 100);
  }

  isOnImage([x, y]) {
    const { scale, x: left, y: top } = this.view, { width, height, pixelWidth, pixelHeight } = this.slice;
    return x >= left && y >= top && x <= left + width * pixelWidth * scale && y <= top + height * pixelHeight * scale;
  }

  onStage(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  // -- changes --------------------------------------------------------------------------------------------------------
  change(edit) {
    const before = this.model.get("marks");
    const marks = structuredClone(before);
    edit(marks[this.at]);
    if (!Object.keys(marks[this.at].points).length) marks[this.at].done = false;
    this.past.push({ marks: before[this.at], at: this.at });
    this.future.length = 0;
    this.send(marks);
  }

  send(marks) {
    this.model.set("marks", marks);
    this.model.set("revision", this.model.get("revision") + 1);
    try {
      this.model.save_changes();
    } catch { /* the kernel is gone: no answer will come, and `expect` says so */ }
    this.expect();
    this.show();
  }

  tell(message) {
    try {
      this.model.send(message);
    } catch {
      this.raise();
    }
  }

  undo(from = this.past, to = this.future) {
    const step = from.pop();
    if (!step) return this.say(from === this.past ? "There is nothing to undo." : "There is nothing to redo.");
    const before = this.model.get("marks");
    to.push({ marks: before[step.at], at: step.at });
    if (step.at !== this.at) this.open(step.at);
    this.send(before.map((marks, position) => (position === step.at ? step.marks : marks)));
    this.offset = this.marks.offset;
    this.show();
  }

  redo() { this.undo(this.future, this.past); }

  place(native, { stay = false } = {}) {
    const name = this.selected;
    this.change((marks) => {
      marks.points[name] = native;
      marks.offset = this.offset;
    });
    if (!stay) this.selected = this.unmarked(name) ?? name;
    this.show();
  }

  nudge(dx, dy) {
    const here = this.marks.points[this.selected];
    if (!Array.isArray(here) || !this.slice?.pixels) return;
    if (this.offset !== this.marks.offset) return this.say("The point lies on another slice.");
    const [x, y] = mapped(this.slice.toShown, here);
    const shown = [clamped(x + dx, -0.5, this.slice.width - 0.5), clamped(y + dy, -0.5, this.slice.height - 0.5)];
    this.place(mapped(this.slice.toNative, shown).map((value) => Math.round(value * 100) / 100), { stay: true });
  }

  forget() {
    const name = this.selected;
    if (name in this.marks.points) this.change((marks) => delete marks.points[name]);
  }

  declareAbsent() {
    const name = this.selected;
    this.change((marks) => { marks.points[name] = ABSENT; });
    this.selected = this.unmarked(name) ?? name;
    this.show();
  }

  finish() {
    if (!this.slice?.pixels) return this.say("An image that cannot be seen cannot be done.");
    const open = this.names.filter((name) => !(name in this.marks.points));
    if (open.length && this.warned !== this.at) {
      this.warned = this.at; // the second time it is meant
      return this.say(`${open.join(", ")}: neither marked nor said to be outside the image. Press Enter again to finish all the same.`);
    }
    if (!this.marks.done) this.change((marks) => { marks.done = true; });
    const next = this.firstToDo(this.at);
    if (next === undefined) this.say("All images are done.");
    else this.open(next);
  }

  nextGhost() {
    const there = GHOSTS.filter((kind) => Object.keys(this.case.ghosts[kind] ?? {}).length);
    const position = there.indexOf(GHOSTS[this.ghost]);
    this.ghost = GHOSTS.indexOf(there[position + 1]);
    this.show();
  }

  // -- mouse, pen, finger ---------------------------------------------------------------------------------------------
  press(event) {
    this.root.focus({ preventScroll: true });
    if (!this.view || !this.slice?.pixels) return;
    const from = this.onStage(event);
    const points = Object.entries(this.marks.points).filter(([, xy]) => Array.isArray(xy));
    const near = points
      .map(([name, xy]) => ({ name, away: Math.hypot(...this.toStage(xy).map((value, axis) => value - from[axis])) }))
      .filter(({ away }) => away <= NEAR && this.offset === this.marks.offset)
      .sort((one, other) => one.away - other.away)[0];
    const kind = event.button === 2 ? "window" : near ? "point" : "pan";
    this.held = { kind, from, last: from, view: { ...this.view }, window: [...this.shownWindow()], moved: false };
    if (kind === "point") {
      this.selected = near.name;
      const [x, y] = this.toStage(this.marks.points[near.name]);
      this.held.grip = [x - from[0], y - from[1]];
    }
    this.stage.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.show();
  }

  move(event) {
    if (!this.held) return;
    const held = this.held, here = this.onStage(event);
    const [dx, dy] = here.map((value, axis) => value - held.from[axis]);
    held.moved ||= Math.hypot(dx, dy) >= STILL;
    if (!held.moved) return;
    held.last = here;
    if (held.kind === "pan") this.view = { ...held.view, x: held.view.x + dx, y: held.view.y + dy };
    if (held.kind === "window") {
      const range = this.slice.high - this.slice.low;
      this.window = [held.window[0] + (dy / 300) * range, Math.max(held.window[1] * Math.exp(dx / 150), range / 1000)];
    }
    if (held.kind === "point") held.native = this.toNative([here[0] + held.grip[0], here[1] + held.grip[1]]);
    this.show();
  }

  release(event) {
    const held = this.held;
    this.held = null;
    if (!held) return;
    if (held.kind === "point" && held.native) this.place(held.native, { stay: true });
    else if (held.kind === "pan" && !held.moved && event.button === 0 && this.isOnImage(held.from)) this.place(this.toNative(held.from));
    else this.show();
  }

  wheel(event) {
    if (!this.root.contains(document.activeElement) || !this.view) return; // the page scrolls until the editor is used
    event.preventDefault();
    const around = this.around;
    if (event.ctrlKey || around?.slices.length === 1) return this.zoom(Math.exp(-event.deltaY / 400), this.onStage(event));
    this.turned = (this.turned ?? 0) + event.deltaY; // a trackpad sends many small turns
    if (Math.abs(this.turned) >= TURN) {
      this.leaf(Math.sign(this.turned));
      this.turned = 0;
    }
  }

  zoom(factor, [x, y] = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    if (!this.view) return;
    const { scale, x: left, y: top } = this.view;
    const bounded = clamped(scale * factor, 0.05, 200) / scale;
    this.view = { scale: scale * bounded, x: x - (x - left) * bounded, y: y - (y - top) * bounded };
    this.show();
  }

  leaf(step) {
    const around = this.around;
    if (!around) {
      this.tell({ kind: "around", case: this.at });
      return this.say("Looking for the other slices of this series …");
    }
    const offset = clamped(this.offset + step, -around.own, around.slices.length - around.own - 1);
    if (offset === this.offset) return;
    this.offset = offset;
    this.show();
  }

  key(event) {
    if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.altKey)) return; // runs the cell
    if (event.target !== this.root && ["Enter", " "].includes(event.key)) return; // a button has the focus
    const step = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
    const [centre, width] = this.slice?.pixels ? this.shownWindow() : [0, 1];
    const range = this.slice?.pixels ? this.slice.high - this.slice.low : 1;
    const window = (to) => { this.window = to; this.show(); };
    const acts = {
      ArrowLeft: () => this.nudge(-step, 0), ArrowRight: () => this.nudge(step, 0),
      ArrowUp: () => this.nudge(0, -step), ArrowDown: () => this.nudge(0, step),
      " ": () => this.view && this.slice?.pixels && this.place(this.toNative([this.stage.clientWidth / 2, this.stage.clientHeight / 2])),
      Delete: () => this.forget(), Backspace: () => this.forget(), a: () => this.declareAbsent(),
      z: () => (event.shiftKey ? this.redo() : this.undo()), y: () => this.redo(),
      "+": () => this.zoom(1.25), "=": () => this.zoom(1.25), "-": () => this.zoom(0.8), 0: () => this.fit(),
      "[": () => window([centre, width / 1.15]), "]": () => window([centre, width * 1.15]),
      "{": () => window([centre + range / 40, width]), "}": () => window([centre - range / 40, width]),
      ",": () => this.leaf(-1), ".": () => this.leaf(1), g: () => this.nextGhost(),
      Escape: () => document.activeElement.blur(), Enter: () => this.alone || this.finish(), p: () => this.open(this.at - 1), n: () => this.open(this.at + 1),
    };
    const number = Number(event.key);
    const act = this.names[number - 1] ? () => { this.selected = this.names[number - 1]; this.show(); } : acts[event.key] ?? acts[event.key.toLowerCase()];
    if (!act || ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() !== "z")) return;
    if (event.altKey && !event.key.startsWith("Arrow")) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }

  // -- what is shown --------------------------------------------------------------------------------------------------
  shownWindow() { return this.window ?? this.slice.window; }

  say(text) { this.status.textContent = text; }

  show() {
    this.ask();
    this.showHeading();
    this.showPalette();
    this.showStage();
    this.say([this.model.get("notice"), this.advice()].filter(Boolean).join("\n"));
  }

  advice() {
    if (this.slice?.problem) return this.slice.problem;
    if (!this.slice?.pixels) return "Reading the image …";
    const around = this.around;
    const which = around?.slices.length > 1 ? `Slice ${around.own + this.offset + 1} of ${around.slices.length}. ` : "";
    const elsewhere = this.offset !== this.marks.offset && Object.keys(this.marks.points).length;
    if (elsewhere) return `${which}The points lie on another slice; placing one here moves all of them to this slice.`;
    const here = this.marks.points[this.selected];
    if (Array.isArray(here)) return `${which}${this.selected} at x ${here[0].toFixed(1)}, y ${here[1].toFixed(1)} pixels.`;
    return `${which}Click on the image to place ${this.selected}.`;
  }

  showHeading() {
    const marks = this.model.get("marks"), done = marks.filter((each) => each.done).length;
    const badge = (text, kind) => element("span", { class: `badge ${kind}` }, text);
    const name = this.case.image.split(/[\\/]/).slice(-3).join("/"); // files of several series often share a name
    this.heading.replaceChildren(
      element("strong", { title: this.case.image }, `${this.at + 1} of ${marks.length}: ${name}`),
      element("span", {}, [this.case.view, this.case.level].filter(Boolean).join(", ")),
      ...(this.case.flagged ? [badge("flagged: check the points", "flagged")] : []),
      ...(this.marks.done ? [
        badge("done", "finished"),
        element("button", { type: "button", onclick: () => this.change((marks) => { marks.done = false; }) }, "Open again"),
      ] : []),
      ...(this.alone ? [] : [element("span", { class: "count" }, `${done} of ${marks.length} done`)]),
    );
    for (const button of this.paging) button.hidden = marks.length < 2;
  }

  showPalette() {
    const kind = GHOSTS[this.ghost];
    const confidence = this.case.confidence;
    this.palette.replaceChildren(...this.case.looks.map((look, position) => {
      const here = this.marks.points[look.name];
      const where = here === ABSENT ? "not in the image" : here ? `${here[0].toFixed(1)}, ${here[1].toFixed(1)}` : "not marked";
      const sure = look.name in confidence ? `network ${Math.round(100 * confidence[look.name])} %` : "";
      const icon = drawn("svg", { viewBox: "-8 -8 16 16", class: "icon" }, drawn("path", { d: look.path, fill: look.colour, stroke: "black" }));
      return element(
        "button",
        {
          type: "button", role: "radio", "aria-checked": String(look.name === this.selected), title: `${position + 1}`,
          onclick: () => { this.selected = look.name; this.show(); this.root.focus({ preventScroll: true }); },
        },
        icon, element("b", {}, look.name), element("span", {}, where), element("small", {}, sure),
      );
    }));
    const kinds = GHOSTS.filter((each) => Object.keys(this.case.ghosts[each] ?? {}).length);
    this.ghostButton.hidden = !kinds.length;
    this.ghostButton.textContent = kind && kinds.includes(kind) ? `Rings: ${GHOST_WORDS[kind]}` : "Rings: none";
  }

  showStage() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = globalThis.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.overlay.replaceChildren();
    if (!this.slice?.pixels || !this.view) return;
    const context = this.canvas.getContext("2d");
    const { scale, x, y } = this.view, { pixelWidth, pixelHeight } = this.slice;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = scale * Math.min(pixelWidth, pixelHeight) < 6; // single pixels are to be seen
    context.translate(x, y);
    context.scale(scale * pixelWidth, scale * pixelHeight);
    context.drawImage(this.windowed(), 0, 0);
    this.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const ghosts = this.case.ghosts[GHOSTS[this.ghost]] ?? {};
    for (const look of this.case.looks) {
      if (ghosts[look.name] && this.offset === 0) this.overlay.append(this.mark(look, ghosts[look.name], "ghost"));
    }
    for (const look of this.case.looks) {
      const xy = this.held?.native && look.name === this.selected ? this.held.native : this.marks.points[look.name];
      if (!Array.isArray(xy)) continue;
      const kind = this.offset !== this.marks.offset ? "elsewhere" : look.name === this.selected ? "selected" : "";
      this.overlay.append(this.mark(look, xy, `point ${kind}`));
    }
  }

  mark(look, native, kind) {
    const [x, y] = this.toStage(native);
    const outline = (width, colour) => drawn("path", { d: look.path, fill: "none", stroke: colour, "stroke-width": width, transform: "scale(1.5)" });
    const parts = kind === "ghost"
      ? [drawn("circle", { r: 9, fill: "none", stroke: look.colour, "stroke-width": 1.5, "stroke-dasharray": "3 3" })]
      : [outline(3.4, "black"), outline(1.8, look.colour), drawn("circle", { r: 1.3, fill: look.colour }),
         drawn("text", { x: 15, y: 4 }, document.createTextNode(look.name))];
    return drawn("g", { class: kind, "data-name": look.name, transform: `translate(${x.toFixed(2)} ${y.toFixed(2)})` }, ...parts);
  }

  /** The slice as an image of 8 bits, mapped through the window; made anew when slice or window change. */
  windowed() {
    const [centre, width] = this.shownWindow();
    const slice = this.slice;
    const key = `${centre} ${width}`;
    if (slice.windowed !== key) {
      const table = new Uint8ClampedArray(slice.brightest + 1);
      const step = (slice.high - slice.low) / slice.brightest;
      for (let value = 0; value <= slice.brightest; value++) {
        table[value] = 255 * ((slice.low + value * step - centre) / width + 0.5);
      }
      const image = new ImageData(slice.width, slice.height);
      const grey = new Uint32Array(image.data.buffer);
      for (let place = 0; place < grey.length; place++) grey[place] = 0xff000000 | (table[slice.pixels[place]] * 0x010101);
      slice.canvas ??= element("canvas", { width: slice.width, height: slice.height });
      slice.canvas.getContext("2d").putImageData(image, 0, 0);
      slice.windowed = key;
    }
    return slice.canvas;
  }

  // -- does Python listen? --------------------------------------------------------------------------------------------
  expect() {
    clearTimeout(this.waiting);
    const heard = () => this.model.get("acknowledged") >= this.model.get("revision");
    if (heard()) { this.alarm.hidden = true; return; }
    this.waiting = setTimeout(() => heard() || this.raise(), PATIENCE);
  }

  raise() {
    this.alarm.replaceChildren(
      "Python does not answer. It is busy, or the kernel was restarted; then run the cell again. Your points are still here: ",
      element("button", { type: "button", onclick: () => this.download() }, "Save them as CSV"),
    );
    this.alarm.hidden = false;
  }

  /** The points as a table that lumbar.annotate opens again. */
  download() {
    const quoted = (text) => `"${String(text).replaceAll('"', '""')}"`;
    const lines = this.model.get("marks").flatMap((marks, position) => {
      const { file, frame, view, level, looks } = this.cases[position];
      const around = this.model.get("around")[position];
      const [path, number] = marks.offset ? around.slices[around.own + marks.offset] : [file, frame];
      return looks.filter(({ name }) => name in marks.points).map(({ name }) => {
        const xy = marks.points[name], axial = view === "axial";
        const place = xy === ABSENT ? ["", "", 1] : [...xy, 0];
        return [quoted(path), number ?? "", view, axial ? level : name, axial ? name : "", ...place, "", "", "", "", ""].join(",");
      });
    });
    const csv = ["image,frame,view,level,side,x,y,absent,x_mm,y_mm,z_mm,confidence,flagged", ...lines, ""].join("\n");
    const link = element("a", { href: URL.createObjectURL(new Blob([csv], { type: "text/csv" })), download: "points.csv" });
    link.click();
    URL.revokeObjectURL(link.href);
  }
}

export default {
  render({ model, el }) {
    const editor = new Editor(model, el);
    return () => editor.remove();
  },
};
