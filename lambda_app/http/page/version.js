/** A version of the model in the report: its counts, its figures beside the promise, and its drawings. */

import { drawEvidence, drawTrend } from "./charts.js";
import { FIGURES, appendRow, formatCount, formatDate, formatEvidence, formatFigure, formatInterval, formatPercent } from "./figures.js";
import { appendUnit, formatValue } from "./measurements.js";

const [MAE, RMSE, BIAS, , COVERAGE] = FIGURES;

function describeShare({ count, with_outcome: known }) {
  const share = count ? ` (${formatPercent(known / count)})` : "";
  return `${formatCount(known)} of ${formatCount(count)}${share}`;
}

/** How much is known, and how late: by this a reader sees outcomes that are reported for some alone. */
function describeCounts({ predictions, due, delay_days: delay }, windowDays) {
  const made = `An outcome is known for ${describeShare(predictions)} predictions of the last ${windowDays} days.`;
  const ripe = due
    ? ` Of those whose outcome is due, made from ${formatDate(due.from)} to ${formatDate(due.to)}, it is known for ${describeShare(due)}.`
    : "";
  const late = delay
    ? ` Half of the outcomes were observed within ${formatValue(delay.p50, 0)} days of the prediction, nine of ten within ${formatValue(delay.p90, 0)}.`
    : "";
  return made + ripe + late;
}

function describeExpected({ expected, live }) {
  const caution = live ? "The live figures are of predictions with an outcome alone. If outcomes are reported for some kinds more than for others, the figures mislead." : "";
  const guess = expected?.mae
    ? ` For the ${formatCount(expected.count)} predictions of the window without an outcome, the model itself expects a mean absolute error of ${formatFigure(MAE, expected.mae)}.`
    : "";
  return caution + guess;
}

function addChart(charts, title, caption, description) {
  const figure = document.getElementById("chart").content.cloneNode(true).firstElementChild;
  const svg = figure.querySelector("svg");
  figure.querySelector("h4").textContent = title;
  figure.querySelector("figcaption").textContent = caption;
  svg.setAttribute("aria-label", description);
  charts.append(figure);
  return svg;
}

function describeTrend(title, figure, blocks) {
  const values = blocks.map((block) => block[figure.name].value);
  const range = `from ${formatFigure(figure, Math.min(...values))} to ${formatFigure(figure, Math.max(...values))}`;
  return `${title}: ${values.length} blocks of outcomes, ${range}, the last ${formatFigure(figure, values.at(-1))}`;
}

function addTrend(charts, version, figure, title, caption, lines, highest) {
  const blocks = version.over_time.filter((block) => typeof block[figure.name]?.value === "number");
  if (blocks.length) {
    const svg = addChart(charts, title, caption, describeTrend(`${title}, version ${version.model_version}`, figure, blocks));
    drawTrend(svg, blocks, figure.name, { lines, highest, format: figure.isShare ? formatPercent : (value) => formatValue(value) });
  }
}

function addCharts(charts, version, { coverage, tolerance }) {
  const { promised, sentinel, model_version: name } = version;
  const dots = "Each dot is a block of outcomes in the order in which they were observed, with its interval of 95\u00a0%";
  const error = typeof promised?.mae !== "number" ? [] : [{ value: promised.mae, kind: "promise" }];
  const errorCaption = `${dots}${error.length ? "; dashed: as promised" : ""}.`;
  addTrend(charts, version, MAE, "Mean absolute error over time", errorCaption, error);
  const isPromised = coverage !== null;
  const limits = isPromised ? [{ value: coverage, kind: "promise" }, { value: coverage - tolerance, kind: "threshold" }] : [];
  const limit = `; dashed: as promised; red: ${formatPercent(coverage - tolerance)}, below which the sentinel shall give an alarm`;
  const coverageCaption = `${dots}${isPromised ? limit : ""}.`;
  addTrend(charts, version, COVERAGE, "Coverage over time", coverageCaption, limits, 1);
  if (sentinel?.line.length) {
    const title = "Evidence against the coverage";
    const count = sentinel.alarms.length;
    const alarms = count ? `${formatCount(count)} ${count === 1 ? "alarm" : "alarms"}` : "no alarm";
    const level = formatEvidence(sentinel.threshold);
    const description = `${title}, version ${name}: ${formatEvidence(sentinel.evidence)} after ${formatCount(sentinel.outcomes)} outcomes, ${alarms}, the threshold is ${level}`;
    const caption = `Across: the number of outcomes; up: powers of ten; red: the threshold of an alarm, ${level}. Misses raise it, hits lower it. In these outcomes: ${alarms}.`;
    drawEvidence(addChart(charts, title, caption, description), sentinel);
  }
}

/** The ends of a third; the outer two are open. */
function describeThird({ from, to }) {
  return from === null ? `below ${formatValue(to, 0)}` : to === null ? `${formatValue(from, 0)} and above` : `${formatValue(from, 0)} to ${formatValue(to, 0)}`;
}

function fillThirds(table, thirds) {
  for (const third of thirds) {
    const head = document.createElement("th");
    head.scope = "col";
    head.textContent = describeThird(third);
    table.tHead.rows[0].append(head);
  }
  const [body] = table.tBodies;
  appendRow(body, "Outcome known for", thirds.map((third) => describeShare({ ...third, count: third.predictions })));
  for (const figure of [RMSE, BIAS, COVERAGE]) {
    appendRow(body, `${figure.label}, promised`, thirds.map((third) => formatFigure(figure, third.promised?.[figure.name])));
    appendRow(body, `${figure.label}, live`, thirds.map((third) => formatFigure(figure, third.live?.[figure.name].value)));
  }
}

/** The card of a version, open if it is the current one; `target` is undefined where the model cannot be asked. */
export function createVersion(version, settings, target) {
  const card = document.getElementById("version").content.cloneNode(true).firstElementChild;
  const part = (selector) => card.querySelector(selector);
  const { live, promised, thirds } = version;
  part(".title").textContent = `${version.is_current ? "Current version" : "Version"} ${version.model_version}`;
  card.open = version.is_current;
  part(".counts").textContent = describeCounts(version, settings.window_days);
  part(".expected").textContent = describeExpected(version);
  part(".nothing").hidden = Boolean(live);
  part(".figures").hidden = !live;
  part(".thirds").hidden = !live || !thirds.length;
  for (const caption of card.querySelectorAll("caption")) {
    caption.textContent += `, version ${version.model_version}`;
  }
  if (live) {
    part(".figures caption").textContent += `, on ${formatCount(live.outcomes)} outcomes${target ? `; errors and widths are in units of the ${appendUnit(target.name, target.unit)}` : ""}`;
    for (const figure of FIGURES) {
      const values = live[figure.name];
      const cells = [formatFigure(figure, promised?.[figure.name]), formatFigure(figure, values.value), formatInterval(figure, values)];
      appendRow(part(".figures").tBodies[0], figure.label, cells);
    }
    fillThirds(part(".thirds"), thirds);
  }
  addCharts(part(".charts"), version, settings);
  return card;
}
