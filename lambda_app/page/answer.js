/** An answer on the page: the number, its interval on the outcomes of the study, and what pushed it. */

import { createHistogram, createPushes } from "./drawings.js";
import { formatValue } from "./fields.js";

const part = (id) => document.getElementById(id);
const histogram = createHistogram(part("outcomes"));
const pushes = createPushes(part("reasons").querySelector("table"));

/** A tenth of a point of progression means nothing to anybody. */
const formatScore = (score) => formatValue(Math.round(score));
const formatInterval = ({ lower, upper }) => `${formatScore(lower)} to ${formatScore(upper)}`;

export const formatAnswer = ({ prediction, interval }) => `${formatScore(prediction)} (${formatInterval(interval)})`;

const countPatients = (counts) => counts.reduce((sum, count) => sum + count, 0);

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
    return "The band is the interval.";
  }
  const patients = `The bars are the outcomes of the ${countPatients(outcomes.counts)} patients of the study`;
  return `${patients}, ${describeRank(outcomes, prediction)} of them below this prediction; the band is the interval.`;
}

/** For those who do not. */
function describeDrawing({ outcomes }, { prediction, interval }) {
  const mark = `The prediction, ${formatScore(prediction)}, and its interval, ${formatInterval(interval)}`;
  if (!outcomes) {
    return mark;
  }
  const range = `${formatValue(outcomes.minimum)} to ${formatValue(outcomes.maximum)}`;
  return `${mark}, on the outcomes of the study, ${range} with a mean of ${formatScore(outcomes.mean)}`;
}

/** Everything that the page says of the answer to these values. */
export function showAnswer(model, fields, values, answer) {
  const { prediction, interval } = answer;
  part("shown").hidden = part("reasons").hidden = part("summary").hidden = false;
  part("prediction").textContent = formatScore(prediction);
  part("interval").textContent = formatInterval(interval);
  part("coverage").textContent = `for ${Math.round(interval.coverage * 100)} % of patients like those of the study`;
  part("outcomes-caption").textContent = captionDrawing(model, prediction);
  part("summary").firstElementChild.textContent = formatAnswer(answer);
  part("caution").hidden = answer.warnings.length === 0;
  histogram.show(model.outcomes, answer);
  part("outcomes").setAttribute("aria-label", describeDrawing(model, answer));
  pushes.show(fields, values, answer);
  part("model").textContent = `Model ${answer.model_version}.`;
}
