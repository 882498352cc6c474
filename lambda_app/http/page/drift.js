/** The tests of drift: for each feature and the prediction, the window on the training. */

import { drawBars } from "./charts.js";
import { formatCount, formatPercent } from "./figures.js";

const countAll = (counts) => counts.reduce((sum, count) => sum + count, 0);
const toShares = (counts) => counts.map((count) => count / (countAll(counts) || 1));

/** In words what each bin holds. */
function nameBins({ edges, values }, describe) {
  if (values) {
    return values.map(describe);
  }
  // A feature that was constant in the training.
  if (!edges.length) {
    return ["any value"];
  }
  const ends = edges.map(describe);
  return [`below ${ends[0]}`, ...ends.slice(1).map((end, index) => `${ends[index]} to ${end}`), `${ends.at(-1)} and above`];
}

const formatProbability = (p) => (p < 0.001 ? "below 0.001" : p.toFixed(3));

function createTest(test, name) {
  const item = document.getElementById("test").content.cloneNode(true).firstElementChild;
  const [reference, window] = [toShares(test.reference), toShares(test.window)];
  const bins = nameBins(test, name.describe);
  const svg = item.querySelector("svg");
  item.querySelector("h3").textContent = name.label;
  item.classList.toggle("drifted", test.is_drift);
  item.querySelector(".verdict").textContent = test.is_drift ? "Has moved" : "No drift found";
  const shares = bins.map((bin, index) => `${bin}: ${formatPercent(reference[index])} and ${formatPercent(window[index])}`);
  svg.setAttribute("aria-label", `${name.label} in training and in the window. ${shares.join("; ")}`);
  const [first, , last] = item.querySelectorAll(".scale span");
  first.textContent = bins[0];
  last.textContent = bins.at(-1);
  item.querySelector(".hint").textContent =
    `Cramér's V ${test.cramers_v.toFixed(2)} (drift from ${test.least_v.toFixed(2)}), PSI ${test.psi.toFixed(2)}; p ${formatProbability(test.adjusted_p)}; ${formatCount(test.cases)} cases.`;
  drawBars(svg, reference, window);
  return item;
}

/** Shows the tests; `find` gives the label of a feature and how its values are written. */
export function showDrift(section, { drift, settings }, words, find) {
  section.hidden = false;
  const isTested = Boolean(drift?.tests.length);
  section.querySelector("#drift-summary").textContent = isTested
    ? "A feature counts as moved if both the test says so (p, adjusted for all tests) and the difference is large enough to matter (Cramér's V). Repeated requests for one subject count once."
    : `This could not be tested. ${words}`;
  section.querySelector("#drift-legend").hidden = !isTested;
  section.querySelector("#drift-window").textContent = `in the last ${settings.window_days} days`;
  const tests = drift?.tests ?? [];
  section.querySelector("#tests").replaceChildren(...tests.map((test) => createTest(test, find(test))));
}
