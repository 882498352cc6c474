/** The drawings of a report: figures over time, the evidence, and the bars of a test of drift. */

import { append, chooseTicks, measureLabel } from "./drawings.js";
import { formatDate, formatEvidence } from "./figures.js";

const HEIGHT = 220;
const MARGIN = { top: 14, right: 12, bottom: 26 };
const BARS_HEIGHT = 72;
// The room of a tick's text across and of a date.
const TICK_ROOM = 30;
const DATE_ROOM = 110;

/** Draws now and whenever the width changes. */
function keepDrawn(svg, height, draw) {
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.round(svg.getBoundingClientRect().width);
    if (width && width !== drawn) {
      drawn = width;
      svg.replaceChildren();
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      draw(width);
    }
  }).observe(svg);
}

/** The frame of a plot, with the labels of both axes; the ticks are pairs of value and text. */
function drawFrame(svg, width, { x, y, xTicks, yTicks, left }) {
  const base = HEIGHT - MARGIN.bottom;
  for (const [value, text] of yTicks) {
    append(svg, "line", { class: "grid", x1: left, x2: width - MARGIN.right, y1: y(value), y2: y(value) });
    append(svg, "text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text);
  }
  append(svg, "line", { class: "axis", x1: left, x2: width - MARGIN.right, y1: base, y2: base });
  xTicks.forEach(([value, text], index) => {
    const anchor = index === 0 ? "start" : index === xTicks.length - 1 ? "end" : "middle";
    append(svg, "text", { x: x(value), y: HEIGHT - 6, "text-anchor": anchor }, text);
  });
}

function makeScale(from, to, start, end) {
  return (value) => (to === from ? (start + end) / 2 : start + ((value - from) / (to - from)) * (end - start));
}

/** From the first to the last, as many dates as have room. */
function chooseDates(from, to, room) {
  const count = from === to ? 1 : Math.max(2, Math.min(5, Math.floor(room / DATE_ROOM)));
  return Array.from({ length: count }, (_, index) => {
    const time = count === 1 ? from : from + ((to - from) * index) / (count - 1);
    return [time, formatDate(time)];
  });
}

/**
 * Draws a figure over time, each block of outcomes with its interval, beside the lines of what was promised.
 *
 * `lines` have a value and a class; `format` writes a value.
 */
export function drawTrend(svg, blocks, name, { lines, format, highest }) {
  const points = blocks.map((block) => ({
    time: (Date.parse(block.from) + Date.parse(block.to)) / 2,
    ...block[name],
  }));
  const ends = points.flatMap(({ value, lower, upper }) => [lower ?? value, upper ?? value]);
  const all = [...ends, ...lines.map((line) => line.value)];
  const room = 0.06 * (Math.max(...all) - Math.min(...all) || 1);
  const domain = [Math.min(...all) - room, Math.min(Math.max(...all) + room, highest ?? Infinity)];
  const [from, to] = [Math.min(...points.map((point) => point.time)), Math.max(...points.map((point) => point.time))];
  keepDrawn(svg, HEIGHT, (width) => {
    const yTicks = chooseTicks(...domain, (HEIGHT - MARGIN.top - MARGIN.bottom) / TICK_ROOM).map((value) => [
      value,
      format(value),
    ]);
    const left = Math.max(...yTicks.map(([value, text]) => Math.max(measureLabel(value), 13 + 7 * text.length)));
    const x = makeScale(from, to, left + 8, width - MARGIN.right - 8);
    const y = makeScale(...domain, HEIGHT - MARGIN.bottom, MARGIN.top);
    drawFrame(svg, width, { x, y, left, yTicks, xTicks: chooseDates(from, to, width - left) });
    for (const { value, kind } of lines) {
      append(svg, "line", { class: kind, x1: left, x2: width - MARGIN.right, y1: y(value), y2: y(value) });
    }
    for (const { time, lower, upper } of points) {
      if (lower !== null && upper !== null) {
        append(svg, "line", { class: "interval", x1: x(time), x2: x(time), y1: y(lower), y2: y(upper) });
      }
    }
    append(svg, "path", { class: "trend", d: makePath(points.map(({ time, value }) => [x(time), y(value)])) });
    for (const { time, value } of points) {
      append(svg, "circle", { class: "point", cx: x(time), cy: y(value), r: 3 });
    }
  });
}

/** Draws the evidence against the promise, by powers of ten, with the threshold and the alarms. */
export function drawEvidence(svg, { line, threshold, alarms, outcomes }) {
  // Below one there is none.
  const toPower = (evidence) => Math.log10(Math.max(evidence, 1));
  const most = Math.ceil(toPower(Math.max(threshold, ...line.map(([, , evidence]) => evidence))) + 0.2);
  const powers = Array.from({ length: most + 1 }, (_, power) => [power, formatEvidence(10 ** power)]);
  const last = Math.max(outcomes - 1, ...line.map(([index]) => index), 1);
  keepDrawn(svg, HEIGHT, (width) => {
    const left = Math.max(...powers.map(([, text]) => 13 + 7 * text.length));
    const x = makeScale(0, last, left + 8, width - MARGIN.right - 8);
    const y = makeScale(0, most, HEIGHT - MARGIN.bottom, MARGIN.top);
    const counts = chooseTicks(0, last, Math.max(2, (width - left) / DATE_ROOM)).filter(Number.isInteger);
    const xTicks = counts.map((count) => [count, count.toLocaleString("en")]);
    drawFrame(svg, width, { x, y, left, yTicks: powers, xTicks });
    const [y1, y2] = [y(toPower(threshold)), y(toPower(threshold))];
    append(svg, "line", { class: "threshold", x1: left, x2: width - MARGIN.right, y1, y2 });
    const points = line.map(([index, , evidence]) => [x(index), y(toPower(evidence))]);
    append(svg, "path", { class: "trend", d: makePath(points) });
    for (const { outcome } of alarms) {
      append(svg, "circle", { class: "alarm", cx: x(outcome), cy: y1, r: 5 });
    }
  });
}

const makePath = (points) => points.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`).join("");

/** Draws two distributions on the same bins, on top of each other: of the training wide, of the window narrow. */
export function drawBars(svg, reference, window) {
  const highest = Math.max(...reference, ...window) || 1;
  keepDrawn(svg, BARS_HEIGHT, (width) => {
    const step = width / reference.length;
    const y = (share) => BARS_HEIGHT - 1 - (share / highest) * (BARS_HEIGHT - 4);
    const drawBar = (kind, inset) => (share, index) => {
      const [x, top] = [index * step + inset, y(share)];
      append(svg, "rect", { class: kind, x, y: top, width: step - 2 * inset, height: BARS_HEIGHT - 1 - top });
    };
    reference.forEach(drawBar("reference", 0.06 * step));
    window.forEach(drawBar("window", 0.28 * step));
    append(svg, "line", { class: "axis", x1: 0, x2: width, y1: BARS_HEIGHT - 0.5, y2: BARS_HEIGHT - 0.5 });
  });
}
