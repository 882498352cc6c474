/** An answer on the page: the number, its range on the outcomes in training, and what pushed it. */

import { createHistogram, createPushes } from "./drawings.js";
import { appendUnit, chooseDecimals, formatRange, formatValue } from "./measurements.js";

const part = (id) => document.getElementById(id);
const histogram = createHistogram(part("outcomes"));
const pushes = createPushes(part("reasons").querySelector("table"));

/** With no more decimals than mean anything on the scale of the target. */
const formatPrediction = ({ outcomes }, value) => formatValue(value, chooseDecimals(outcomes));
const formatInterval = (model, { lower, upper }) =>
  `${formatPrediction(model, lower)} to ${formatPrediction(model, upper)}`;

export const formatAnswer = (model, { prediction, interval }) =>
  `${formatPrediction(model, prediction)} (${formatInterval(model, interval)})`;

const countCases = (counts) => counts.reduce((sum, count) => sum + count, 0);

/** What the number is; the range in training is not known of a model that was published without it. */
function describeTarget({ target, outcomes }) {
  const range = outcomes ? `; ${formatRange(outcomes.minimum, outcomes.maximum)} in training` : "";
  return `${appendUnit(target.meaning, target.unit)}${range}.`;
}

/** A share as a person says it: 9 of 10, 19 of 20, or else in percent. */
function formatShare(share) {
  for (const total of [10, 20]) {
    const count = Math.round(share * total);
    if (Math.abs(count - share * total) < 1e-9) {
      return `${count} of ${total}`;
    }
  }
  return `${formatValue(Math.round(share * 1000) / 10)} % of`;
}

/** What the service promises of the range: nothing for a case unlike those that it learned from. */
function describeCoverage({ cases }, { coverage }) {
  return coverage === null
    ? "Nothing is promised of this range"
    : `${formatShare(coverage)} such ${cases} fall in this range`;
}

/** What to be careful about, where it stands beside the answer; empty when there is nothing. */
function describeCaution({ case: name }, fields, { coverage }, unplaced) {
  const lead = coverage === null ? [`This ${name} is unlike those in training: the prediction may be far off.`] : [];
  return [...lead, ...unplaced.map((warning) => `${fields.describeMessage(warning)}.`)].join(" ");
}

/** How many of the outcomes lie below, as far as bins can tell. */
function describeRank({ counts, bin_edges: edges }, prediction) {
  const below = counts.reduce((sum, count, index) => {
    const share = (prediction - edges[index]) / (edges[index + 1] - edges[index]);
    return sum + count * Math.min(Math.max(share, 0), 1);
  }, 0);
  const percent = Math.round((100 * below) / countCases(counts));
  return percent <= 0 ? "none" : percent >= 100 ? "all" : `about ${percent} %`;
}

/** For those who see the drawing. */
function captionDrawing({ cases, outcomes }, prediction) {
  if (!outcomes) {
    return "The band is the range.";
  }
  const bars = `The bars are the outcomes of the ${countCases(outcomes.counts)} ${cases} in training`;
  return `${bars}, ${describeRank(outcomes, prediction)} of them below this prediction; the band is the range.`;
}

/** For those who do not. */
function describeDrawing(model, { prediction, interval }) {
  const { outcomes } = model;
  const mark = `The prediction, ${formatPrediction(model, prediction)}, and its range, ${formatInterval(model, interval)}`;
  if (!outcomes) {
    return mark;
  }
  const range = formatRange(outcomes.minimum, outcomes.maximum);
  return `${mark}, on the outcomes in training, ${range} with a mean of ${formatPrediction(model, outcomes.mean)}`;
}

/** The version that is tried beside the current one, if any, and what it does. */
function describeTrial({ candidate }) {
  if (!candidate) {
    return "";
  }
  const { model_version: version, mode, share, fault } = candidate;
  const percent = `${formatValue(share * 100)} %`;
  const deed =
    mode === "canary"
      ? `in a canary: it makes ${percent} of the recorded predictions`
      : `as a shadow: for ${percent} of the recorded predictions, its own is stored beside the answer`;
  return `The candidate ${version} is tried ${deed}.${fault ? " At present it is not asked." : ""}`;
}

/** Everything that the page says of the answer to these values; `unplaced` are the warnings that no field shows. */
export function showAnswer(model, fields, values, answer, unplaced) {
  const { prediction, interval } = answer;
  const caution = describeCaution(model, fields, interval, unplaced);
  part("shown").hidden = part("reasons").hidden = part("summary").hidden = false;
  part("target").textContent = describeTarget(model);
  part("prediction").textContent = formatPrediction(model, prediction);
  part("interval").textContent = formatInterval(model, interval);
  part("coverage").textContent = describeCoverage(model, interval);
  part("outcomes-caption").textContent = captionDrawing(model, prediction);
  part("summary-answer").textContent = formatAnswer(model, answer);
  part("summary-caution").hidden = interval.coverage !== null;
  part("caution").textContent = caution;
  part("caution").hidden = !caution;
  histogram.show(model, answer);
  part("outcomes").setAttribute("aria-label", describeDrawing(model, answer));
  pushes.show(model, fields, values, answer);
  part("model").textContent = `Model ${answer.model_version}.`;
  part("trial").textContent = describeTrial(model);
}
