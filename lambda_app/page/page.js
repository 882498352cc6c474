/** What happens when: a change asks for a preview, a press of the button for a record, a failure for patience. */

import { ask } from "./service.js";
import { createFields, formatValue } from "./fields.js";
import { createHistogram, createPushes } from "./drawings.js";

const SETTLE_MS = 150;
// While a slider moves without a stop, the answer follows all the same.
const AT_LATEST_MS = 500;
// A screen reader hears the answer when the hand rests, not each step on the way.
const ANNOUNCE_MS = 1000;
const LONGEST_WAIT_SECONDS = 60;

const part = (id) => document.getElementById(id);
const histogram = createHistogram(part("outcomes"));
const pushes = createPushes(part("reasons").querySelector("table"), (name) => {
  const { label, describeValue } = fields.get(name);
  return { label, value: describeValue() };
});

let model;
let fields;
let recordedValues;
let request;
let timer;
let retryTimer;
let announceTimer;
let changedAt;
let failures = 0;
let tryAgain = start;

const describeInterval = ({ interval }) =>
  `${formatValue(Math.round(interval.lower))} to ${formatValue(Math.round(interval.upper))}`;

/** Says it to a screen reader, once nothing has changed for a moment. */
function announce(text) {
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => (part("status").textContent = text), ANNOUNCE_MS);
}

/** How the shown answer stands to the inputs: "preview", "recorded", or "earlier", and then dimmed. */
function showStanding(standing) {
  const words = { preview: "Preview — not recorded", recorded: "Recorded", earlier: "Answer to earlier values" };
  part("standing").textContent = words[standing];
  part("standing").hidden = part("shown").hidden;
  document.body.dataset.standing = standing;
}

/** A preview is asked for again by itself; a record is not, which is a person's deed. */
function showProblem(problem, again) {
  tryAgain = again;
  part("problem").hidden = false;
  let advice = "";
  if (problem.retryAfterSeconds) {
    const isDeed = again === predict;
    const wait = isDeed ? 0 : Math.min(2 ** failures, LONGEST_WAIT_SECONDS);
    const seconds = Math.max(problem.retryAfterSeconds, wait);
    if (!isDeed) {
      failures += 1;
      clearTimeout(retryTimer);
      retryTimer = setTimeout(again, seconds * 1000);
    }
    const words = seconds === 1 ? "a second" : `${seconds} seconds`;
    advice = isDeed ? ` Please try again in ${words}.` : ` This page tries again in ${words}.`;
  }
  const [text, reference] = part("problem").querySelectorAll("p");
  text.textContent = problem.message + advice;
  reference.textContent = problem.reference ?? "";
}

function hideProblem() {
  clearTimeout(retryTimer);
  failures = 0;
  part("problem").hidden = true;
}

function estimateRank({ counts, bin_edges: edges }, prediction) {
  const below = counts.reduce((sum, count, index) => {
    const share = (prediction - edges[index]) / (edges[index + 1] - edges[index]);
    return sum + count * Math.min(Math.max(share, 0), 1);
  }, 0);
  const patients = counts.reduce((sum, count) => sum + count, 0);
  const percent = Math.round((100 * below) / patients);
  if (percent <= 0 || percent >= 100) {
    return `${percent <= 0 ? "Lower" : "Higher"} than every outcome of the study.`;
  }
  return `Higher than about ${percent} % of the study’s outcomes.`;
}

async function describeModel() {
  ({ answer: model } = await ask("model"));
  const { outcomes } = model;
  const patients = outcomes?.counts.reduce((sum, count) => sum + count, 0);
  part("outcomes-caption").textContent = outcomes
    ? `The bars are the outcomes of the ${patients} patients of the study, the band is the interval.`
    : "The band is the interval.";
}

function showAnswer(answer) {
  const { prediction, interval } = answer;
  const coverage = Math.round(interval.coverage * 100);
  const ends = describeInterval(answer);
  part("shown").hidden = part("reasons").hidden = part("summary").hidden = false;
  part("prediction").textContent = formatValue(Math.round(prediction));
  part("interval").textContent = ends;
  part("coverage").textContent = `The interval for ${coverage} % of patients like the study’s.`;
  part("rank").textContent = model.outcomes ? estimateRank(model.outcomes, prediction) : "";
  part("summary").firstElementChild.textContent = `${formatValue(Math.round(prediction))} (${ends})`;
  part("caution").hidden = answer.warnings.length === 0;
  histogram.show(model.outcomes, answer);
  part("outcomes").setAttribute(
    "aria-label",
    `The prediction, ${formatValue(Math.round(prediction))}, and its ${coverage} % interval, ${ends}` +
      (model.outcomes
        ? `, on the outcomes of the study, which go from ${formatValue(model.outcomes.minimum)} to ` +
          `${formatValue(model.outcomes.maximum)} with a mean of ${formatValue(Math.round(model.outcomes.mean))}`
        : ""),
  );
  pushes.show(answer);
  part("model").textContent = `Model ${answer.model_version}.`;
}

const isRecorded = (values) => JSON.stringify(recordedValues) === JSON.stringify(values);

function change() {
  clearTimeout(timer);
  changedAt ??= performance.now();
  document.body.dataset.standing = "asking";
  timer = setTimeout(preview, Math.max(0, Math.min(SETTLE_MS, changedAt + AT_LATEST_MS - performance.now())));
}

async function preview() {
  clearTimeout(timer);
  clearTimeout(retryTimer);
  changedAt = undefined;
  request?.abort();
  const values = fields.read();
  part("recorded-outdated").hidden = isRecorded(values);
  if (!values) {
    showStanding("earlier");
    announce("A value cannot be used; the field says why.");
    return;
  }
  const own = (request = new AbortController());
  try {
    const { answer } = await ask("explain", values, own.signal);
    // Another version was promoted meanwhile.
    if (answer.model_version !== model.model_version) {
      await describeModel();
    }
    if (own.signal.aborted) {
      return;
    }
    hideProblem();
    fields.showMessages(answer.warnings, "warning");
    showAnswer(answer);
    showStanding(isRecorded(values) ? "recorded" : "preview");
    const warnings = answer.warnings.map(({ field, message }) => ` ${fields.get(field).label} ${message}.`).join("");
    announce(`Prediction ${part("prediction").textContent}, interval ${describeInterval(answer)}.${warnings}`);
  } catch (problem) {
    if (!own.signal.aborted) {
      showStanding("earlier");
      fail(problem, preview);
    }
  }
}

function fail(problem, again) {
  if (problem.fields?.length) {
    fields.showMessages(problem.fields, "error");
  } else {
    showProblem(problem, again);
  }
}

async function predict() {
  const button = part("record");
  const values = fields.read();
  if (!values) {
    fields.focusFault();
    return;
  }
  // Not disabled, which would take the focus away from whoever uses the keyboard.
  if (button.ariaDisabled === "true") {
    return;
  }
  button.ariaDisabled = "true";
  try {
    const { answer, destination } = await ask("predict", values);
    recordedValues = values;
    part("recorded").hidden = false;
    part("recorded-prediction").textContent =
      `${formatValue(Math.round(answer.prediction))} (${describeInterval(answer)})`;
    part("recorded-id").textContent = answer.request_id;
    part("recorded-where").textContent =
      destination === "queue" ? "In the queue, on its way to the database" : "In the database";
    const time = new Date(answer.timestamp);
    part("recorded-time").dateTime = answer.timestamp;
    part("recorded-time").textContent = time.toLocaleString(undefined, { dateStyle: "long", timeStyle: "medium" });
    // The inputs may have changed meanwhile: how they stand to the record is for their own answer to say.
    await preview();
    announce(`Recorded. Its id is ${answer.request_id}.`);
  } catch (problem) {
    fail(problem, predict);
  } finally {
    button.ariaDisabled = "false";
  }
}

async function copyId() {
  const id = part("recorded-id");
  let said = "Copied";
  try {
    await navigator.clipboard.writeText(id.textContent);
  } catch {
    // Browsers give the clipboard to secure origins alone.
    getSelection().selectAllChildren(id);
    said = "Selected: copy it with Ctrl+C";
  }
  part("copy").textContent = part("status").textContent = said;
  setTimeout(() => (part("copy").textContent = "Copy id"), 2000);
}

async function start() {
  try {
    await describeModel();
  } catch (problem) {
    showProblem(problem, start);
    return;
  }
  hideProblem();
  fields = createFields(part("fields"), model.features, change);
  part("typical").hidden = part("legend").hidden = false;
  setTypical();
}

function setTypical() {
  fields.writeTypical();
  preview();
}

part("typical").addEventListener("click", setTypical);
part("record").addEventListener("click", predict);
part("copy").addEventListener("click", copyId);
part("again").addEventListener("click", () => tryAgain());
part("patient").addEventListener("submit", (event) => event.preventDefault());
addEventListener("online", () => part("problem").hidden || (fields ? preview() : start()));
start();
