/** What happens when: a change asks for a preview, a press of the button for a record, a failure for patience. */

import { formatAnswer, showAnswer } from "./answer.js";
import { createFields } from "./fields.js";
import { ProblemError, ask } from "./service.js";

const SETTLE_MS = 150;
// While a slider moves without a stop, the answer follows all the same.
const AT_LATEST_MS = 500;
// A screen reader hears the answer when the hand rests, not each step on the way.
const ANNOUNCE_MS = 1000;
const LONGEST_WAIT_SECONDS = 60;

const part = (id) => document.getElementById(id);

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
    advice = isDeed ? ` You have no record yet: please try again in ${words}.` : ` This page tries again in ${words}.`;
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
      ({ answer: model } = await ask("model"));
    }
    if (own.signal.aborted) {
      return;
    }
    hideProblem();
    fields.showMessages(answer.warnings, "warning");
    showAnswer(model, fields, values, answer);
    // While the hand moves on, another answer is on its way.
    if (changedAt === undefined) {
      showStanding(isRecorded(values) ? "recorded" : "preview");
    }
    const warnings = answer.warnings.map(({ field, message }) => ` ${fields.get(field).label} ${message}.`).join("");
    announce(`Prediction ${formatAnswer(answer)}.${warnings}`);
  } catch (problem) {
    if (!own.signal.aborted) {
      showStanding("earlier");
      fail(problem, preview);
    }
  }
}

function fail(problem, again) {
  if (!(problem instanceof ProblemError)) {
    throw problem;
  }
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
    part("recorded-prediction").textContent = formatAnswer(answer);
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
  clearTimeout(retryTimer);
  try {
    ({ answer: model } = await ask("model"));
  } catch (problem) {
    fail(problem, start);
    return;
  }
  // Somebody may have pressed "Try now" twice.
  if (fields) {
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
