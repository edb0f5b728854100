"use strict";
// Quality control on the page of points: a judgement and a note for each picture, kept in this browser, saved as files.
// It only reads and writes text of this page and of localStorage; nothing is sent or loaded.
(() => {
  const KEYS = { p: "pass", f: "fail", u: "unsure" };
  const STEPS = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };
  const panel = document.getElementById("quality");
  const cards = [...document.querySelectorAll("article[data-image]")];
  const shown = cards.filter((card) => card.querySelector(".judge"));
  const place = `lumbar-quality-${panel.dataset.report}`;
  const judged = new Map(cards.map((card) => [card.dataset.image, { quality: "", note: "" }]));
  let kept = true;
  let current = -1;

  function remember() {
    try {
      localStorage.setItem(place, JSON.stringify([...judged].filter(([, each]) => each.quality || each.note)));
      kept = true;
    } catch {
      kept = false;
    }
  }

  function recall() {
    try {
      for (const [image, { quality, note }] of JSON.parse(localStorage.getItem(place) || "[]")) {
        if (!judged.has(image)) continue;
        judged.set(image, { quality: Object.values(KEYS).includes(quality) ? quality : "", note: String(note || "") });
      }
    } catch {
      kept = false;
    }
  }

  function show(card) {
    const { quality, note } = judged.get(card.dataset.image);
    for (const button of card.querySelectorAll(".judge button")) {
      button.setAttribute("aria-pressed", String(button.value === quality));
    }
    const field = card.querySelector(".judge input");
    if (field.value !== note) field.value = note;
  }

  function count() {
    const parts = Object.values(KEYS).map((quality) => {
      return `${[...judged.values()].filter((each) => each.quality === quality).length} ${quality}`;
    });
    const all = [...judged.values()].filter((each) => each.quality).length;
    const lost = kept ? "" : " This browser keeps nothing: save the files before you close the page.";
    panel.querySelector("output").textContent = `${all} of ${cards.length} judged: ${parts.join(", ")}.${lost}`;
  }

  function judge(card, quality) {
    const each = judged.get(card.dataset.image);
    each.quality = each.quality === quality ? "" : quality;
    remember();
    show(card);
    count();
    return each.quality;
  }

  function select(number) {
    if (!shown.length) return;
    current = Math.min(Math.max(number, 0), shown.length - 1);
    shown[current].focus({ preventScroll: true });
    shown[current].scrollIntoView({ block: "start" });
  }

  function press(event) {
    const writes = event.target.matches("input");
    if (event.ctrlKey || event.metaKey || event.altKey || (writes && event.key !== "Escape")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in STEPS) select(current + STEPS[key]);
    else if (writes) select(current);
    else if (!(key in KEYS)) return;
    else if (current < 0) select(0); // nobody judges a picture that is not in view
    else if (judge(shown[current], KEYS[key])) select(current + 1);
    event.preventDefault();
  }

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function csv() {
    const cell = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const rows = [...judged].map(([image, { quality, note }]) => [image, quality, note]);
    return [["image", "quality", "note"], ...rows].map((row) => `${row.map(cell).join(",")}\n`).join("");
  }

  function yaml() {
    // Quoted, and in ASCII: a plain scalar may be read as a number or a date, and some characters end a line.
    const escaped = (mark) => {
      const code = mark.codePointAt(0);
      return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
    };
    const quoted = (text) => JSON.stringify(text).replace(/[^ -~]/gu, escaped);
    const failed = [...judged].filter(([, each]) => each.quality === "fail").map(([image]) => image);
    if (!failed.length) return "# No picture failed\n";
    return `FILES_LABEL:\n${failed.map((image) => `    - ${quoted(image)}\n`).join("")}`;
  }

  recall();
  for (const [number, card] of shown.entries()) {
    const field = card.querySelector(".judge input");
    card.querySelector(".judge").hidden = false;
    card.addEventListener("focusin", () => (current = number));
    for (const button of card.querySelectorAll(".judge button")) {
      button.addEventListener("click", () => judge(card, button.value));
    }
    field.addEventListener("input", () => {
      judged.get(card.dataset.image).note = field.value;
      remember();
      count();
    });
    show(card);
  }
  document.addEventListener("keydown", press);
  panel.querySelector("[value=csv]").addEventListener("click", () => save("quality.csv", "text/csv", csv()));
  panel.querySelector("[value=yaml]").addEventListener("click", () => save("qc_fail.yml", "text/yaml", yaml()));
  panel.hidden = document.getElementById("quality-keys").hidden = !shown.length;
  count();
})();
