/** What the two alarms say in words: whether there is one, what it means, and how often it is false. */

import { formatCount, formatDate, formatEvidence, formatPercent } from "./figures.js";

const countTimes = (count) => (count === 1 ? "once" : `${formatCount(count)} times`);

/** The verdict on the promised coverage of the current version; `version` is undefined if the report has none. */
export function describeCoverageAlarm({ coverage, tolerance, outcomes_to_false_alarm: rare }, version) {
  const sentinel = version?.sentinel;
  if (!sentinel?.outcomes || coverage === null) {
    return { isSilent: true, verdict: "Not watched.", words: "There is no outcome yet of a prediction with a promised coverage." };
  }
  const limit = formatPercent(1 - coverage + tolerance);
  const falsely = `As long as no more than ${limit} of outcomes fall outside, a false alarm comes on average at most once in ${formatCount(rare)} outcomes, if they are reported in the order in which they were observed.`;
  if (sentinel.is_alarm) {
    const when = sentinel.alarms.length ? ` It came with the outcome of ${formatDate(sentinel.alarms.at(-1).observed_at)}.` : "";
    const words = `More than ${limit} of outcomes seem to fall outside their intervals; ${formatPercent(1 - coverage)} were promised.${when} ${falsely}`;
    return { isAlarm: true, verdict: "Alarm.", words };
  }
  const evidence = `The evidence that more than ${limit} of outcomes fall outside is ${formatEvidence(sentinel.evidence)}, and an alarm comes at ${formatEvidence(sentinel.threshold)}.`;
  const caution = "That there is none does not prove the promise: a small excess, or one in few outcomes, goes unseen.";
  return { verdict: "No alarm.", words: `${evidence} ${falsely} ${caution}` };
}

/** The verdict on drift; `label` gives the name of a feature for people. */
export function describeDriftAlarm({ settings, drift, note }, cases, label) {
  if (!drift || !drift.tests.length) {
    return { isSilent: true, verdict: "Not tested.", words: (note ?? "The report does not say why").replace(/\.?$/, ".") };
  }
  const tested = `${drift.tests.length} tests on ${formatCount(drift.cases)} ${cases} of the last ${settings.window_days} days.`;
  const perYear = countTimes(settings.drift_false_alarms_per_year);
  const falsely = `Where nothing has changed, a false alarm is to be expected about ${perYear} a year.`;
  if (drift.is_alarm) {
    const moved = drift.tests.filter((test) => test.is_drift).map((test) => label(test.name));
    const words = `Not distributed as in training: ${moved.join(", ")}. ${tested} It does not say that the predictions are worse: only outcomes do. ${falsely}`;
    return { isAlarm: true, verdict: "Alarm.", words };
  }
  const caution = `A small change, or one in few ${cases}, goes unseen.`;
  return { verdict: "No alarm.", words: `${tested} ${falsely} ${caution}` };
}
