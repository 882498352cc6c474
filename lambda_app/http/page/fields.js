/** The inputs, made from what the service says of its features: limits, units and typical values have one home. */

import { appendUnit, createMeasurement, formatRange, formatValue } from "./measurements.js";

// What the service calls the features together, which no single input can be blamed for.
const TOGETHER = "features";

function cloneField(template, { name, explanation }) {
  const root = document.getElementById(template).content.cloneNode(true).firstElementChild;
  root.id = `field-${name}`;
  const [hint, message] = [root.querySelector(".hint"), root.querySelector(".message")];
  hint.id = `${name}-hint`;
  hint.textContent = explanation;
  hint.hidden = !explanation;
  message.id = `${name}-message`;
  return { root, hint, message };
}

function createNumberField(measurement, onChange) {
  const { name, label, unit, suffix, type, minimum, maximum, low, high, step } = measurement;
  const { root, hint, message } = cloneField("number-field", measurement);
  const [number, slider] = root.querySelectorAll("input");
  const limits = root.querySelector(".limits");
  root.querySelector(".name").textContent = label;
  // Not the name alone: it may be the id of a part of the page.
  root.querySelector("label").htmlFor = number.id = `${name}-number`;
  root.querySelector("label").id = `${name}-label`;
  root.querySelector(".unit").textContent = unit;
  limits.id = `${name}-limits`;
  limits.textContent = formatRange(minimum, maximum);
  const [from, typical, to] = root.querySelectorAll(".scale span");
  from.textContent = formatValue(low);
  typical.textContent = measurement.hasTypical ? `typically ${formatValue(measurement.typical)}` : "";
  typical.id = `${name}-typical`;
  to.textContent = formatValue(high);
  slider.id = `${name}-slider`;
  slider.setAttribute("aria-labelledby", `${name}-label`);
  Object.assign(number, { min: minimum, max: maximum, step });
  // The ends of the training's range may lie between two steps; `settle` finds the step.
  Object.assign(slider, { min: low, max: high, step: "any" });
  for (const input of [number, slider]) {
    input.setAttribute("aria-describedby", [limits, typical, hint, message].map(({ id }) => id).join(" "));
  }

  function settle(value) {
    const stepped = Number((Math.round(value / step) * step).toFixed(4));
    return value === low || value === high ? value : Math.min(Math.max(stepped, low), high);
  }
  function follow(value) {
    slider.value = value;
    slider.classList.toggle("beyond", value < low || value > high);
    slider.setAttribute("aria-valuetext", `${formatValue(value)}${suffix}`);
  }
  number.addEventListener("input", () => {
    if (Number.isFinite(number.valueAsNumber)) {
      follow(number.valueAsNumber);
    }
    onChange();
  });
  slider.addEventListener("input", () => {
    number.value = settle(slider.valueAsNumber);
    follow(number.valueAsNumber);
    onChange();
  });
  return {
    root,
    message,
    inputs: [number, slider],
    // Not the browser's own check, which would refuse what lies between two steps.
    findFault: () => {
      const value = number.valueAsNumber;
      const isPossible = value >= minimum && value <= maximum && (type === "real" || Number.isInteger(value));
      const kind = type === "integer" ? "a whole number" : "a number";
      return isPossible ? "" : `must be ${kind} from ${appendUnit(formatRange(minimum, maximum), unit)}`;
    },
    read: () => measurement.toSent(number.valueAsNumber),
    writeTypical() {
      number.value = measurement.typical;
      follow(measurement.typical);
    },
  };
}

function createChoicesField(measurement, onChange) {
  const { name, label, choices, typical } = measurement;
  const { root, hint, message } = cloneField("choices-field", measurement);
  root.querySelector("legend").textContent = label;
  root.setAttribute("aria-describedby", `${hint.id} ${message.id}`);
  const inputs = [];
  for (const choice of choices) {
    const option = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name, value: choice.value });
    input.addEventListener("change", onChange);
    option.append(input, choice.label);
    root.querySelector(".choices").append(option);
    inputs.push(input);
  }
  return {
    root,
    message,
    inputs,
    findFault: () => "",
    read: () => Number(inputs.find((input) => input.checked).value),
    writeTypical: () => inputs.forEach((input) => (input.checked = Number(input.value) === typical)),
  };
}

/** All inputs, in `container`; `onChange` is called at every step of every one of them. */
export function createFields(container, { case: caseName, features }, onChange) {
  const fields = new Map();
  for (const feature of features) {
    const measurement = createMeasurement(feature);
    const create = measurement.type === "choices" ? createChoicesField : createNumberField;
    const field = { ...create(measurement, onChange), measurement };
    fields.set(feature.name, field);
    container.append(field.root);
  }

  function show(field, messages, kind) {
    field.message.textContent = messages.join("\n");
    field.message.className = `message ${kind}`;
    field.message.hidden = !messages.length;
    for (const input of field.inputs) {
      input.setAttribute("aria-invalid", String(Boolean(messages.length) && kind === "error"));
    }
  }

  const nameLabel = (name) => fields.get(name)?.measurement.label ?? name;
  const anyName = new RegExp(`\\b(${[...fields.keys()].join("|")})\\b`, "g");

  /** In the words and units of the page, and without the full stop. */
  function describeMessage({ field: name, message }) {
    const translated = (fields.get(name)?.measurement.translate(message) ?? message).replace(anyName, nameLabel);
    return `${name === TOGETHER ? `The features of this ${caseName}` : nameLabel(name)} ${translated}`;
  }

  return {
    describeMessage,
    getMeasurement: (name) => fields.get(name).measurement,
    /** The values by name, or null, with a message beside each field that cannot be sent. */
    read() {
      let faulty = false;
      for (const field of fields.values()) {
        const fault = field.findFault();
        faulty ||= Boolean(fault);
        // A warning stays until the next answer, so that nothing jumps while a slider moves.
        if (fault || field.message.classList.contains("error")) {
          show(field, fault ? [`${field.measurement.label} ${fault}`] : [], "error");
        }
      }
      return faulty ? null : Object.fromEntries([...fields].map(([name, field]) => [name, field.read()]));
    },
    writeTypical: () => fields.forEach((field) => field.writeTypical()),
    /** Put messages beside their fields, in place of all earlier ones; what no field has is given back. */
    showMessages(messages, kind) {
      for (const [name, field] of fields) {
        show(field, messages.filter((message) => message.field === name).map(describeMessage), kind);
      }
      return messages.filter((message) => !fields.has(message.field));
    },
    hasFault: () => [...fields.values()].some((field) => field.findFault()),
    /** The first that the page or the service refuses. */
    focusFault() {
      const isRefused = ({ findFault, inputs }) => findFault() || inputs[0].ariaInvalid === "true";
      [...fields.values()].find(isRefused)?.inputs[0].focus();
    },
  };
}
