/** The two drawings: the interval on the outcomes in training, and the pushes of the features. */

import { appendUnit, chooseDecimals, formatValue } from "./measurements.js";

const HEIGHT = 288;
// At the top the axis has a line for its name, and the range has one for its ends.
const MARGIN = { top: 56, right: 14, bottom: 44, left: 34 };
// The share of the outcomes' range that the longest bar of the pushes stands for at least, so that a small push looks
// like one.
const LEAST_PUSH_SCALE = 0.1;

export function append(parent, name, attributes, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [attribute, value] of Object.entries(attributes)) {
    element.setAttribute(attribute, value);
  }
  element.textContent = text;
  parent.append(element);
  return element;
}

/** The room that a number takes on an axis. */
export const measureLabel = (value) => 13 + 7 * formatValue(value).length;

/** A step of 1, 2 or 5 times a power of ten that cuts the range into no more than so many parts. */
function chooseStep(range, most) {
  const rough = range / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
}

export function chooseTicks(from, to, most) {
  const step = chooseStep(to - from, most);
  const [first, last] = [Math.ceil(from / step), Math.floor(to / step)];
  // By whole numbers, so that no error of a sum grows.
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

/** Which values the axis shows: those in training, the interval wherever it is, and zero where it is near. */
function chooseDomain(outcomes, interval) {
  let lowest = Math.min(outcomes?.bin_edges[0] ?? interval.lower, interval.lower);
  const highest = Math.max(outcomes?.bin_edges.at(-1) ?? interval.upper, interval.upper);
  if (lowest > 0 && lowest < 0.25 * highest) {
    lowest = 0;
  }
  const step = chooseStep(highest - lowest || 1, 8);
  return [Math.floor(lowest / step) * step, Math.ceil(highest / step) * step];
}

/** Draws a prediction on the histogram of the outcomes, which may be null, as wide as there is room. */
export function createHistogram(svg) {
  let shown = null;
  let frame = null;

  function drawFrame({ cases, target, outcomes }, domain, width) {
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
      append(svg, "text", { class: "tick", x: 0, y: 12 }, cases);
      const outline = [`M${x(outcomes.bin_edges[0])},${base}`];
      outcomes.counts.forEach((count, index) => {
        const [start, end] = [x(outcomes.bin_edges[index]), x(outcomes.bin_edges[index + 1])];
        append(svg, "rect", { class: "bin", x: start, width: end - start, y: y(count), height: base - y(count) });
        outline.push(`V${y(count)}H${end}`);
      });
      append(svg, "path", { class: "outline", d: `${outline.join("")}V${base}` });
    }
    append(svg, "line", { class: "axis", x1: left, x2: right, y1: base, y2: base });
    for (const tick of chooseTicks(...domain, (right - left) / (measureLabel(domain[1]) + 6))) {
      append(svg, "text", { class: "tick", x: x(tick), y: base + 16, "text-anchor": "middle" }, formatValue(tick));
    }
    const name = appendUnit(target.name, target.unit);
    append(svg, "text", { class: "tick", x: (left + right) / 2, y: HEIGHT - 4, "text-anchor": "middle" }, name);
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
    const { model, prediction, interval } = shown;
    const { outcomes } = model;
    const domain = chooseDomain(outcomes, interval);
    // Whatever stays is moved and not drawn anew, so that it glides.
    if (!frame || frame.width !== width || String(frame.domain) !== String(domain) || frame.outcomes !== outcomes) {
      frame = { width, domain, outcomes, ...drawFrame(model, domain, width) };
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
    const ends = [interval.lower, interval.upper].map((end) => Number(end.toFixed(chooseDecimals(outcomes))));
    // Half the room of two numbers side by side.
    const room = Math.max(...ends.map(measureLabel)) / 2;
    frame.lowerText.setAttribute("x", Math.min(lower, middle - room));
    frame.upperText.setAttribute("x", Math.min(Math.max(upper, middle + room), width - MARGIN.right));
    [frame.lowerText.textContent, frame.upperText.textContent] = ends.map((end) => formatValue(end));
  }

  new ResizeObserver(draw).observe(svg);
  return {
    show(model, { prediction, interval }) {
      shown = { model, prediction, interval };
      draw();
    },
  };
}

/** With its sign. */
function formatPush(push, decimals) {
  const text = Math.abs(push).toFixed(decimals);
  return `${Number(text) === 0 ? "±" : push < 0 ? "−" : "+"}${text}`;
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
    show({ target, outcomes }, fields, values, { base_value: base, contributions, prediction }) {
      // One more than a prediction has: pushes are the smaller numbers.
      const decimals = chooseDecimals(outcomes) + 1;
      const sorted = Object.entries(contributions).sort(([, one], [, other]) => Math.abs(other) - Math.abs(one));
      const least = outcomes ? LEAST_PUSH_SCALE * (outcomes.maximum - outcomes.minimum) : 0;
      const scale = Math.max(least, ...sorted.map(([, push]) => Math.abs(push)));
      for (const [name, push] of sorted) {
        const row = findRow(name);
        const measurement = fields.getMeasurement(name);
        row.querySelector("th span").textContent = measurement.label;
        row.querySelector("th small").textContent = measurement.describe(values[name]);
        row.querySelector(".amount").textContent = formatPush(push, decimals);
        const bar = row.querySelector(".track span");
        bar.style.setProperty("--size", Math.abs(push) / (scale || 1));
        bar.classList.toggle("down", push < 0);
      }
      // Only a changed order is put into the page: a moved row would end the gliding of its bar.
      const body = table.querySelector("tbody");
      const order = sorted.map(([name]) => name);
      if ([...body.children].map((row) => row.dataset.name).join() !== order.join()) {
        body.replaceChildren(...order.map(findRow));
      }
      // What the model says beyond the lowest or highest value there is, the service cuts off.
      const cut = prediction - sorted.reduce((sum, [, push]) => sum + push, base);
      table.querySelector("#bound").hidden = Math.abs(cut) < 0.5 * 10 ** -decimals;
      table.querySelector("#bound td").textContent = formatPush(cut, decimals);
      table.querySelector("#pushes-title").textContent = appendUnit("Push", target.unit);
      table.querySelector("#base").textContent = base.toFixed(decimals);
      table.querySelector("#sum").textContent = prediction.toFixed(decimals);
    },
  };
}
