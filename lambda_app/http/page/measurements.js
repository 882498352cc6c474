/** How a measurement is shown and typed: a logarithm as what it was taken of, all else as the service has it. */

const LOGARITHM_MEANING = /^Natural logarithm of /;
const LOGARITHM_UNIT = /^ln\((.+)\)$/;

/** A value as people write it: no more digits than it has, and a true minus sign. */
export function formatValue(value) {
  return String(Math.round(value * 1e4) / 1e4).replace("-", "−");
}

export const formatRange = (low, high) => `${formatValue(low)} to ${formatValue(high)}`;

const round = (value, decimals) => Number(value.toFixed(decimals));
const capitalize = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Four decimals of a logarithm, as the study has them, tell apart all whole numbers that are accepted, and below a
// thousand the tenths.
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
  return 10 ** Math.floor(Math.log10((high - low) / 50));
}

/** One feature of /model. What is "shown" is in `unit`, which need not be the service's. */
export function createMeasurement(feature) {
  const isLogarithm = LOGARITHM_MEANING.test(feature.meaning) && LOGARITHM_UNIT.test(feature.unit);
  const { toShown, toSent, toLeast, toMost } = isLogarithm ? LOGARITHM : IDENTITY;
  const unit = isLogarithm ? LOGARITHM_UNIT.exec(feature.unit)[1] : feature.unit;
  // The words before the comma name the measurement, those after it explain it.
  const [label, ...rest] = capitalize(feature.meaning.replace(isLogarithm ? LOGARITHM_MEANING : "", "")).split(", ");
  const isCode = unit === "code";
  const [low, high] = [toShown(feature.training_minimum), toShown(feature.training_maximum)];
  const middle = isCode ? low : Math.round((low + high) / 2);

  return {
    name: feature.name,
    label,
    explanation: capitalize(rest.join(", ")),
    unit,
    isCode,
    toSent,
    minimum: toLeast(feature.minimum),
    maximum: toMost(feature.maximum),
    // What the study's patients had.
    low,
    high,
    step: chooseStep(low, high),
    hasTypical: feature.typical !== null,
    // A model that was published without medians is met in the middle of what it saw.
    typical: feature.typical === null ? middle : toShown(feature.typical),
    /** What was sent, in words. */
    describe(value) {
      return isCode ? `code ${value}` : `${formatValue(toShown(value))}${unit === "ratio" ? "" : ` ${unit}`}`;
    },
    /** A message of the service, with its limits in the unit that is shown. */
    translate(message) {
      const limits = /([\d.]+) to ([\d.]+) \(ln\((.+?)\)\)/;
      const show = (_, from, to, inner) => `${formatRange(toShown(Number(from)), toShown(Number(to)))} (${inner})`;
      return isLogarithm ? message.replace(limits, show) : message;
    },
  };
}
