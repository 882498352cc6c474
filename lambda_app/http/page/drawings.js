/** The two drawings: the interval on the outcomes of the study, and the pushes of the ten measurements. */

import { formatValue } from "./measurements.js";

const HEIGHT = 288;
// At the top the axis has a line for its name, and the range has one for its ends.
const MARGIN = { top: 56, right: 14, bottom: 44, left: 34 };
// Half the room of two numbers side by side.
const LABEL_ROOM = 17;
// So that a push of a few points looks like one.
const LEAST_PUSH_SCALE = 30;

function append(parent, name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) {
    element.setAttribute(attribute, value);
  }
  element.textContent = text;
  parent.append(element);
  return element;
}

/** Ticks in steps of 1, 2 or 5 times a power of ten, as many as have room. */
function chooseTicks(from, to, most) {
  const rough = (to - from) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let tick = Math.ceil(from / step) * step; tick <= to; tick += step) {
    ticks.push(tick);
  }
  return ticks;
}

/** Which values the axis shows: those of the study, and the interval wherever it is. */
function chooseDomain(outcomes, interval) {
  const lowest = Math.min(0, interval.lower);
  const highest = Math.max(outcomes?.bin_edges.at(-1) ?? 0, interval.upper);
  return [Math.floor(lowest / 50) * 50, Math.ceil(highest / 50) * 50];
}

/** Draws `{ prediction, interval }` on the histogram of the outcomes, which may be null, as wide as there is room. */
export function createHistogram(svg) {
  let shown = null;
  let frame = null;

  function drawFrame(outcomes, domain, width) {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const [left, right] = [MARGIN.left, width - MARGIN.right];
    const [top, base] = [MARGIN.top, HEIGHT - MARGIN.bottom];
    const band = append(svg, "rect", { class: "band", y: top - 12, height: base - top + 12 });
    const x = (value) => left + ((value - domain[0]) / (domain[1] - domain[0])) * (right - left);
    if (outcomes) {
      const y = (count) => base - (count / Math.max(...outcomes.counts)) * (base - top - 8);
      for (const tick of chooseTicks(0, Math.max(...outcomes.counts), 3).filter(Number.isInteger)) {
        append(svg, "line", { class: "grid", x1: left, x2: right, y1: y(tick), y2: y(tick) });
        append(svg, "text", { class: "tick", x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick));
      }
      append(svg, "text", { class: "tick", x: 0, y: 12 }, "patients");
      const outline = [`M${x(outcomes.bin_edges[0])},${base}`];
      outcomes.counts.forEach((count, index) => {
        const [start, end] = [x(outcomes.bin_edges[index]), x(outcomes.bin_edges[index + 1])];
        append(svg, "rect", { class: "bin", x: start, width: end - start, y: y(count), height: base - y(count) });
        outline.push(`V${y(count)}H${end}`);
      });
      append(svg, "path", { class: "outline", d: `${outline.join("")}V${base}` });
    }
    append(svg, "line", { class: "axis", x1: left, x2: right, y1: base, y2: base });
    for (const tick of chooseTicks(...domain, (right - left) / 40)) {
      append(svg, "text", { class: "tick", x: x(tick), y: base + 16, "text-anchor": "middle" }, formatValue(tick));
    }
    append(svg, "text", { class: "tick", x: (left + right) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, "score after one year");
    return {
      x,
      band,
      beam: append(svg, "rect", { class: "beam", y: top - 13, height: 2 }),
      lower: append(svg, "rect", { class: "beam", y: top - 18, height: 12, width: 2 }),
      upper: append(svg, "rect", { class: "beam", y: top - 18, height: 12, width: 2 }),
      needle: append(svg, "rect", { class: "needle", y: top - 12, height: base - top + 12, width: 2 }),
      knob: append(svg, "circle", { class: "needle", cy: top - 12, r: 5 }),
      lowerText: append(svg, "text", { class: "end", y: top - 24, "text-anchor": "middle" }),
      upperText: append(svg, "text", { class: "end", y: top - 24, "text-anchor": "middle" }),
    };
  }

  function draw() {
    const width = Math.round(svg.getBoundingClientRect().width);
    if (!shown || !width) {
      return;
    }
    const { outcomes, prediction, interval } = shown;
    const domain = chooseDomain(outcomes, interval);
    // Whatever stays is moved and not drawn anew, so that it glides.
    if (!frame || frame.width !== width || String(frame.domain) !== String(domain) || frame.outcomes !== outcomes) {
      frame = { width, domain, outcomes, ...drawFrame(outcomes, domain, width) };
    }
    const [lower, upper] = [frame.x(interval.lower), frame.x(interval.upper)];
    for (const part of [frame.band, frame.beam]) {
      part.setAttribute("x", lower);
      part.setAttribute("width", upper - lower);
    }
    frame.lower.setAttribute("x", lower);
    frame.upper.setAttribute("x", upper - 2);
    frame.needle.setAttribute("x", frame.x(prediction) - 1);
    frame.knob.setAttribute("cx", frame.x(prediction));
    const middle = (lower + upper) / 2;
    frame.lowerText.setAttribute("x", Math.min(lower, middle - LABEL_ROOM));
    frame.upperText.setAttribute("x", Math.min(Math.max(upper, middle + LABEL_ROOM), width - MARGIN.right));
    frame.lowerText.textContent = formatValue(Math.round(interval.lower));
    frame.upperText.textContent = formatValue(Math.round(interval.upper));
  }

  new ResizeObserver(draw).observe(svg);
  return {
    show(outcomes, { prediction, interval }) {
      shown = { outcomes, prediction, interval };
      draw();
    },
  };
}

/** With its sign, and with one decimal, for a push is seldom more than some points. */
function formatPush(push) {
  const text = Math.abs(push).toFixed(1);
  return `${text === "0.0" ? "±" : push < 0 ? "−" : "+"}${text}`;
}

/** Fills the table of pushes. */
export function createPushes(table) {
  const rows = new Map();

  function findRow(name) {
    if (!rows.has(name)) {
      const row = document.getElementById("push").content.cloneNode(true).firstElementChild;
      row.dataset.name = name;
      rows.set(name, row);
    }
    return rows.get(name);
  }

  return {
    show(fields, values, { base_value: base, contributions, prediction }) {
      const sorted = Object.entries(contributions).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
      const scale = Math.max(LEAST_PUSH_SCALE, ...sorted.map(([, push]) => Math.abs(push)));
      for (const [name, push] of sorted) {
        const row = findRow(name);
        const measurement = fields.getMeasurement(name);
        row.querySelector("th span").textContent = measurement.label;
        row.querySelector("th small").textContent = measurement.describe(values[name]);
        row.querySelector(".amount").textContent = formatPush(push);
        const bar = row.querySelector(".track span");
        bar.style.setProperty("--size", Math.abs(push) / scale);
        bar.classList.toggle("down", push < 0);
      }
      // Only a changed order is put into the page: a moved row would end the gliding of its bar.
      const body = table.querySelector("tbody");
      const order = sorted.map(([name]) => name);
      if ([...body.children].map((row) => row.dataset.name).join() !== order.join()) {
        body.replaceChildren(...order.map(findRow));
      }
      // What the model says beyond the lowest or highest score there is, the service cuts off.
      const cut = prediction - sorted.reduce((sum, [, push]) => sum + push, base);
      table.querySelector("#bound").hidden = Math.abs(cut) < 0.05;
      table.querySelector("#bound td").textContent = formatPush(cut);
      table.querySelector("#base").textContent = base.toFixed(1);
      table.querySelector("#sum").textContent = prediction.toFixed(1);
    },
  };
}
