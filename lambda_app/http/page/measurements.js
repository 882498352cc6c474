/** How a feature is shown and typed: a logarithm as what it was taken of, all else as the service has it. */

const LOGARITHM_MEANING = /^Natural logarithm of /;
const LOGARITHM_UNIT = /^ln\((.+)\)$/;

const round = (value, decimals) => Number(value.toFixed(decimals));

/** A value as people write it: no more digits than it has, and a true minus sign. */
export function formatValue(value, decimals = 4) {
  return String(round(value, decimals)).replace("-", "−");
}

export const appendUnit = (text, unit) => (unit ? `${text} (${unit})` : text);

/** How many decimals tell apart about a hundred values of the outcomes in training. */
export function chooseDecimals(outcomes) {
  const range = outcomes ? outcomes.maximum - outcomes.minimum : 0;
  return range > 0 ? Math.max(0, Math.ceil(2 - Math.log10(range))) : 0;
}

export const formatRange = (low, high) => `${formatValue(low)} to ${formatValue(high)}`;

const capitalize = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Four decimals of a logarithm tell apart all whole numbers below ten thousand, and below a thousand the tenths.
const LOGARITHM = {
  toShown: (value) => round(Math.exp(value), Math.exp(value) < 1000 ? 1 : 0),
  toSent: (shown) => round(Math.log(shown), 4),
  // Inwards, so that what is said to be accepted is.
  toLeast: (value) => Math.ceil(Math.exp(value) * 10) / 10,
  toMost: (value) => Math.floor(Math.exp(value) * 10) / 10,
};
const same = (value) => value;
const IDENTITY = { toShown: same, toSent: same, toLeast: same, toMost: same };

/** A power of ten that cuts the range into fifty steps or more. */
function chooseStep(low, high) {
  return high > low ? 10 ** Math.floor(Math.log10((high - low) / 50)) : 1;
}

/** The accepted code that is nearest: the median of codes may lie between two. */
function findCode(choices, value) {
  const distance = (choice) => Math.abs(choice.value - value);
  return choices.reduce((best, choice) => (distance(choice) < distance(best) ? choice : best)).value;
}

/** One feature of /model. What is "shown" is in `unit`, which need not be the service's. */
export function createMeasurement(feature) {
  const isLogarithm = LOGARITHM_MEANING.test(feature.meaning) && LOGARITHM_UNIT.test(feature.unit);
  const { toShown, toSent, toLeast, toMost } = isLogarithm ? LOGARITHM : IDENTITY;
  const unit = isLogarithm ? LOGARITHM_UNIT.exec(feature.unit)[1] : feature.unit;
  // The words before the comma name the feature, those after it explain it.
  const [label, ...rest] = capitalize(feature.meaning.replace(isLogarithm ? LOGARITHM_MEANING : "", "")).split(", ");
  const { type, choices } = feature;
  const [low, high] = [toShown(feature.training_minimum), toShown(feature.training_maximum)];
  // A model that was published without medians is met in the middle of what it saw.
  const middle = feature.typical === null ? Math.round((low + high) / 2) : toShown(feature.typical);
  const typical = { real: middle, integer: Math.round(middle), choices: choices.length && findCode(choices, middle) };
  // Nobody says "4 ratio".
  const suffix = unit && unit !== "ratio" ? ` ${unit}` : "";

  return {
    name: feature.name,
    label,
    explanation: capitalize(rest.join(", ")),
    unit,
    suffix,
    type,
    choices,
    toSent,
    minimum: toLeast(feature.minimum),
    maximum: toMost(feature.maximum),
    // What training saw.
    low,
    high,
    step: type === "integer" ? 1 : chooseStep(low, high),
    hasTypical: feature.typical !== null,
    typical: typical[type],
    /** What was sent, in words. */
    describe(value) {
      const choice = choices.find((each) => each.value === value);
      return choice ? choice.label : `${formatValue(toShown(value))}${suffix}`;
    },
    /** A message of the service, with its limits in the unit that is shown. */
    translate(message) {
      const limits = /([\d.]+) to ([\d.]+) \(ln\((.+?)\)\)/;
      const show = (_, from, to, inner) => `${formatRange(toShown(Number(from)), toShown(Number(to)))} (${inner})`;
      return isLogarithm ? message.replace(limits, show) : message;
    },
  };
}
