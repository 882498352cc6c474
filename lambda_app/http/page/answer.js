/** An answer on the page: the number, its range on the outcomes of the study, and what pushed it. */

import { createHistogram, createPushes } from "./drawings.js";
import { formatRange, formatValue } from "./measurements.js";

const part = (id) => document.getElementById(id);
const histogram = createHistogram(part("outcomes"));
const pushes = createPushes(part("reasons").querySelector("table"));

/** A tenth of a point of progression means nothing to anybody. */
const formatScore = (score) => formatValue(Math.round(score));
const formatInterval = ({ lower, upper }) => `${formatScore(lower)} to ${formatScore(upper)}`;

export const formatAnswer = ({ prediction, interval }) => `${formatScore(prediction)} (${formatInterval(interval)})`;

const countPatients = (counts) => counts.reduce((sum, count) => sum + count, 0);

/** What the number is; the range of the study's is not known of a model that was published without it. */
function describeScore({ outcomes }) {
  const range = outcomes ? `; ${formatRange(outcomes.minimum, outcomes.maximum)} in the study` : "";
  return `A score; higher is worse${range}.`;
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

/** What the service promises of the range: nothing for a patient unlike those that it learned from. */
function describeCoverage({ coverage }) {
  return coverage === null
    ? "Nothing is promised of this range"
    : `${formatShare(coverage)} such patients fall in this range`;
}

/** What to be careful about, where it stands beside the answer; empty when there is nothing. */
function describeCaution(fields, { coverage }, unplaced) {
  const lead = coverage === null ? ["This patient is unlike those of the study: the prediction may be far off."] : [];
  return [...lead, ...unplaced.map((warning) => `${fields.describeMessage(warning)}.`)].join(" ");
}

/** How many of the outcomes lie below, as far as bins can tell. */
function describeRank({ counts, bin_edges: edges }, prediction) {
  const below = counts.reduce((sum, count, index) => {
    const share = (prediction - edges[index]) / (edges[index + 1] - edges[index]);
    return sum + count * Math.min(Math.max(share, 0), 1);
  }, 0);
  const percent = Math.round((100 * below) / countPatients(counts));
  return percent <= 0 ? "none" : percent >= 100 ? "all" : `about ${percent} %`;
}

/** For those who see the drawing. */
function captionDrawing({ outcomes }, prediction) {
  if (!outcomes) {
    return "The band is the range.";
  }
  const patients = `The bars are the outcomes of the ${countPatients(outcomes.counts)} patients of the study`;
  return `${patients}, ${describeRank(outcomes, prediction)} of them below this prediction; the band is the range.`;
}

/** For those who do not. */
function describeDrawing({ outcomes }, { prediction, interval }) {
  const mark = `The prediction, ${formatScore(prediction)}, and its range, ${formatInterval(interval)}`;
  if (!outcomes) {
    return mark;
  }
  const range = formatRange(outcomes.minimum, outcomes.maximum);
  return `${mark}, on the outcomes of the study, ${range} with a mean of ${formatScore(outcomes.mean)}`;
}

/** Everything that the page says of the answer to these values; `unplaced` are the warnings that no field shows. */
export function showAnswer(model, fields, values, answer, unplaced) {
  const { prediction, interval } = answer;
  const caution = describeCaution(fields, interval, unplaced);
  part("shown").hidden = part("reasons").hidden = part("summary").hidden = false;
  part("score").textContent = describeScore(model);
  part("prediction").textContent = formatScore(prediction);
  part("interval").textContent = formatInterval(interval);
  part("coverage").textContent = describeCoverage(interval);
  part("outcomes-caption").textContent = captionDrawing(model, prediction);
  part("summary-answer").textContent = formatAnswer(answer);
  part("summary-caution").hidden = interval.coverage !== null;
  part("caution").textContent = caution;
  part("caution").hidden = !caution;
  histogram.show(model.outcomes, answer);
  part("outcomes").setAttribute("aria-label", describeDrawing(model, answer));
  pushes.show(fields, values, answer);
  part("model").textContent = `Model ${answer.model_version}.`;
}
