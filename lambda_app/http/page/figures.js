/** The figures of a report as text. */

import { formatValue } from "./measurements.js";

/** Those of a version, with how each is written. `isShare` ones are shown in percent. */
export const FIGURES = [
  { name: "mae", label: "Mean absolute error" },
  { name: "rmse", label: "Root mean squared error" },
  { name: "bias", label: "Bias, prediction minus outcome" },
  { name: "r2", label: "R²", decimals: 2 },
  { name: "coverage", label: "Outcomes within their interval", isShare: true },
  { name: "mean_width", label: "Mean width of an interval" },
];

/** The sign stays on the line of its number. */
export const formatPercent = (share) => `${formatValue(100 * share, 1)}\u00a0%`;
export const formatCount = (count) => count.toLocaleString("en");

/** A whole number of large evidence, and two digits of small. */
export const formatEvidence = (evidence) =>
  evidence >= 10 ? Math.round(evidence).toLocaleString("en") : formatValue(Number(evidence.toPrecision(2)));

export const formatDate = (time) =>
  new Date(time).toLocaleDateString(undefined, { year: "numeric", month: "short", day: "numeric" });

/** A value of a figure; null where it is not defined or was not promised. */
export function formatFigure({ isShare, decimals = 1 }, value) {
  if (value === null || value === undefined) {
    return "not known";
  }
  return isShare ? formatPercent(value) : value.toFixed(decimals).replace("-", "−");
}

export function formatInterval(figure, { lower, upper }) {
  return lower === null || upper === null
    ? "not known"
    : `${formatFigure(figure, lower)} to ${formatFigure(figure, upper)}`;
}

/** Adds a row to a table: its head, and its cells. */
export function appendRow(body, head, cells) {
  const row = body.insertRow();
  const first = document.createElement("th");
  first.scope = "row";
  first.textContent = head;
  row.append(first);
  for (const text of cells) {
    row.insertCell().textContent = text;
  }
}
