/** What happens when: a change asks for a preview, a press of the button for a record, a failure for patience. */

import { formatAnswer, showAnswer } from "./answer.js";
import { createFields } from "./fields.js";
import { ProblemError, ask } from "./service.js";

const SETTLE_MS = 150;
// While a slider moves without a stop, the answer follows all the same.
const AT_LATEST_MS = 500;
// A screen reader hears the answer when the hand rests, not each step on the way.
const ANNOUNCE_MS = 1000;
// An answer that takes longer is one to earlier values until then.
const LATE_MS = 600;
const LONGEST_WAIT_SECONDS = 60;
const STANDINGS = { preview: "Preview — not recorded", recorded: "Recorded", earlier: "Answer to earlier values" };
const REFUSAL = "A value cannot be used; its field says why.";

const part = (id) => document.getElementById(id);

let model;
let fields;
// Of the last record: the values, the version that made it, and the one that was current.
let recorded;
// A record was made since the model was asked for: what is tried beside it may have changed.
let isModelOld = false;
let request;
let timer;
let retryTimer;
let announceTimer;
let lateTimer;
let changedAt;
let failures = 0;
let recording = false;
// A value in the fields cannot be used, by the page's check or by the service's.
let refused = false;
let tryAgain = start;

/** Says it to a screen reader, once nothing has changed for a moment. */
function announce(text) {
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => (part("status").textContent = text), ANNOUNCE_MS);
}

/** How the shown answer stands to the inputs: "preview", "recorded", or "earlier", and then dimmed. */
function showStanding(standing) {
  showStandingInWords(standing);
  document.body.dataset.standing = standing;
  showRecordButton(standing === "recorded");
}

function showStandingInWords(standing) {
  stopLateTimer();
  part("standing").textContent = STANDINGS[standing];
  part("standing").hidden = part("shown").hidden;
  part("summary-earlier").hidden = standing !== "earlier";
}

/** From the first unanswered change on. A preview after a record is of the same values, and so not late. */
function startLateTimer() {
  lateTimer ??= setTimeout(() => {
    lateTimer = undefined;
    if (document.body.dataset.standing === "asking") {
      showStandingInWords("earlier");
    }
  }, LATE_MS);
}

function stopLateTimer() {
  clearTimeout(lateTimer);
  lateTimer = undefined;
}

/** A button that does nothing says why. Not disabled, which would take the focus away from whoever uses the keyboard. */
function showRecordButton(isDone) {
  const button = part("record");
  button.textContent = recording ? "Recording …" : isDone ? "Already recorded" : "Record this prediction";
  button.ariaDisabled = String(recording || isDone || refused);
  // Not only hidden: the description of a button is read from hidden text too.
  part("refusal").textContent = refused ? REFUSAL : "";
  part("refusal").hidden = !refused;
}

/** A preview is asked for again by itself; a record is not, which is a person's deed. */
function showProblem(problem, again, unplaced = []) {
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
    // Only the service's own word says that there is none; an answer that was lost may have left one.
    const record = problem.reference ? "You have no record yet" : "There may or may not be a record";
    advice = isDeed ? ` ${record}: please try again in ${words}.` : ` This page tries again in ${words}.`;
  }
  const [text, reference] = part("problem").querySelectorAll("p");
  const faults = unplaced.map((fault) => ` ${fields.describeMessage(fault)}.`).join("");
  text.textContent = problem.message + faults + advice;
  reference.textContent = problem.reference;
  // The button is below the answer, and this above it.
  if (again === predict) {
    part("problem").scrollIntoView({ block: "nearest" });
  }
}

function hideProblem() {
  clearTimeout(retryTimer);
  failures = 0;
  part("problem").hidden = true;
}

/** Whether the record is of these values and these versions. In a canary, the candidate may have made it. */
const isRecorded = (values) =>
  recorded?.values === JSON.stringify(values) && [recorded.version, recorded.current].includes(model.model_version);

function showWhatIsRecorded(values) {
  part("recorded-outdated").hidden = isRecorded(values);
  part("recorded-candidate").hidden = !recorded || recorded.version !== model.candidate?.model_version;
}

function change() {
  clearTimeout(timer);
  changedAt ??= performance.now();
  document.body.dataset.standing = "asking";
  refused = fields.hasFault();
  showRecordButton(false);
  timer = setTimeout(preview, Math.max(0, Math.min(SETTLE_MS, changedAt + AT_LATEST_MS - performance.now())));
}

async function preview() {
  clearTimeout(timer);
  clearTimeout(retryTimer);
  changedAt = undefined;
  request?.abort();
  const values = fields.read();
  refused = !values;
  showWhatIsRecorded(values);
  if (!values) {
    showStanding("earlier");
    announce(REFUSAL);
    return;
  }
  startLateTimer();
  const own = (request = new AbortController());
  try {
    const { answer } = await ask("explain", values, own.signal);
    // Another version was promoted meanwhile, or another one is tried.
    if (isModelOld || answer.model_version !== model.model_version) {
      ({ answer: model } = await ask("model"));
      isModelOld = false;
    }
    if (own.signal.aborted) {
      return;
    }
    hideProblem();
    stopLateTimer();
    showAnswer(model, fields, values, answer, fields.showMessages(answer.warnings, "warning"));
    showWhatIsRecorded(values);
    // While the hand moves on, another answer is on its way.
    if (changedAt === undefined) {
      showStanding(isRecorded(values) ? "recorded" : "preview");
    }
    const warnings = answer.warnings.map((warning) => ` ${fields.describeMessage(warning)}.`).join("");
    announce(`Prediction ${formatAnswer(model, answer)}.${warnings}`);
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
  if (!problem.fields.length) {
    showProblem(problem, again);
    return;
  }
  const unplaced = fields.showMessages(problem.fields, "error");
  // Where no field says why, it is for the message above to say what to do.
  refused = unplaced.length < problem.fields.length;
  showRecordButton(false);
  if (unplaced.length) {
    showProblem(problem, again, unplaced);
  }
}

async function predict() {
  if (refused) {
    fields.focusFault();
    return;
  }
  const values = fields.read();
  // A second click, or a key that is held down: one prediction has one record.
  if (recording || isRecorded(values)) {
    return;
  }
  recording = true;
  showRecordButton();
  try {
    const { answer, destination } = await ask("predict", values);
    recorded = { values: JSON.stringify(values), version: answer.model_version, current: model.model_version };
    isModelOld = true;
    part("recorded").hidden = false;
    part("recorded-prediction").textContent = formatAnswer(model, answer);
    part("recorded-model").textContent = answer.model_version;
    part("recorded-id").textContent = answer.request_id;
    part("recorded-id").href = `predictions/${answer.request_id}`;
    part("recorded-where").textContent =
      destination === "queue" ? "In the queue; the link works once it is in the database" : "In the database";
    const time = new Date(answer.timestamp);
    part("recorded-time").dateTime = answer.timestamp;
    part("recorded-time").textContent = time.toLocaleString(undefined, { dateStyle: "long", timeStyle: "medium" });
    recording = false;
    if (document.body.dataset.standing === "preview" && isRecorded(fields.read())) {
      showStanding("recorded");
    }
    // The inputs may have changed meanwhile: how they stand to the record is for their own answer to say.
    await preview();
    announce(`Recorded. Its id is ${answer.request_id}.`);
  } catch (problem) {
    fail(problem, predict);
  } finally {
    recording = false;
    showRecordButton(document.body.dataset.standing === "recorded");
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
  fields = createFields(part("fields"), model, change);
  part("typical").hidden = part("legend").hidden = false;
  setTypical();
}

function setTypical() {
  fields.writeTypical();
  document.body.dataset.standing = "asking";
  preview();
}

part("typical").addEventListener("click", setTypical);
part("record").addEventListener("click", predict);
part("copy").addEventListener("click", copyId);
part("again").addEventListener("click", () => tryAgain());
part("case").addEventListener("submit", (event) => event.preventDefault());
addEventListener("online", () => part("problem").hidden || (fields ? preview() : start()));
start();
