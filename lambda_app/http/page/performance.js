/** The second view: reads the newest report and shows it, or says why there is none. */

import { describeCoverageAlarm, describeDriftAlarm } from "./alarms.js";
import { showDrift } from "./drift.js";
import { createMeasurement, formatValue } from "./measurements.js";
import { ProblemError, ask } from "./service.js";
import { createVersion } from "./version.js";

const LONGEST_WAIT_SECONDS = 60;
const DAY_MS = 86_400_000;
// The monitor runs once a day, and its alarm comes after two.
const OLD_DAYS = 2;

const part = (id) => document.getElementById(id);

let failures = 0;
let retryTimer;

function showState(title, text, reference = "") {
  part("state-title").textContent = title;
  part("state-text").textContent = text;
  part("state-reference").textContent = reference;
  part("status").textContent = `${title} ${text}`;
  document.body.dataset.state = "shown";
}

function showProblem(problem) {
  if (!(problem instanceof ProblemError)) {
    throw problem;
  }
  if (problem.status === 404) {
    showState("There is no report yet", "The first one is made in the night after the service is set up. Until then nothing is known here of its errors.");
    return;
  }
  let advice = "";
  if (problem.retryAfterSeconds) {
    const seconds = Math.max(problem.retryAfterSeconds, Math.min(2 ** failures, LONGEST_WAIT_SECONDS));
    failures += 1;
    retryTimer = setTimeout(start, seconds * 1000);
    advice = ` This page tries again in ${seconds} seconds.`;
  }
  part("again").hidden = !problem.retryAfterSeconds;
  showState("The report cannot be shown", problem.message + advice, problem.reference);
}

/** The model names its features for people. Where it cannot be asked, their short names must do. */
async function askModel() {
  try {
    return (await ask("model")).answer;
  } catch {
    return null;
  }
}

/** How to write a feature, or the prediction. */
function makeFinder(model) {
  const known = new Map((model?.features ?? []).map((feature) => [feature.name, createMeasurement(feature)]));
  return ({ name, kind }) =>
    (kind !== "prediction" && known.get(name)) || {
      label: kind === "prediction" ? "The prediction" : name,
      describe: (value) => formatValue(value, 2),
    };
}

function showAlarm(name, { isAlarm = false, verdict, words }) {
  part(`${name}-verdict`).textContent = verdict;
  part(`${name}-verdict`).className = isAlarm ? "alarm" : "";
  part(`${name}-words`).textContent = words;
}

function nameState(verdicts) {
  const alarms = verdicts.filter(({ isAlarm }) => isAlarm).length;
  const isSilent = verdicts.every((verdict) => verdict.isSilent);
  return isSilent ? "Nothing can be said yet" : ["No alarm", "One alarm", "Two alarms"][alarms];
}

function describeReport({ generated_at: time, current_version: version }) {
  const made = new Date(time).toLocaleString(undefined, { dateStyle: "long", timeStyle: "short" });
  const days = Math.floor((Date.now() - Date.parse(time)) / DAY_MS);
  const old = days >= OLD_DAYS ? ` It is ${days} days old: the monitor may have stopped.` : "";
  return `Report of ${made}, when ${version ? `the current version was ${version}` : "no version was current"}.${old}`;
}

function showReport(report, model) {
  const { settings, versions } = report;
  const find = makeFinder(model);
  const current = versions.find((version) => version.is_current);
  const coverage = describeCoverageAlarm(settings, current);
  const label = (name) => find(report.drift.tests.find((test) => test.name === name)).label;
  const drift = describeDriftAlarm(report, model?.cases ?? "cases", label);
  showState(nameState([coverage, drift]), describeReport(report));
  showAlarm("coverage", coverage);
  showAlarm("drift", drift);
  part("alarms").hidden = false;
  const create = (version) => createVersion(version, settings, model?.target);
  part("current").replaceChildren(...versions.filter((version) => version.is_current).map(create));
  showDrift(part("drift"), report, drift.words, find);
  const earlier = versions.filter((version) => !version.is_current).reverse();
  part("earlier").hidden = !earlier.length;
  part("versions").replaceChildren(...earlier.map(create));
}

async function start() {
  clearTimeout(retryTimer);
  try {
    const [{ answer: report }, model] = await Promise.all([ask("performance"), askModel()]);
    failures = 0;
    part("again").hidden = true;
    showReport(report, model);
  } catch (problem) {
    showProblem(problem);
  }
}

part("again").addEventListener("click", start);
start();
