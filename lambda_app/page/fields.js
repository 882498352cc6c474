/** The ten inputs, made from what the service says of its features: limits, units and typical values have one home. */

/** A value as people write it: no more digits than it has, and a true minus sign. */
export function formatValue(value) {
  return String(Math.round(value * 1e4) / 1e4).replace("-", "−");
}

/** A power of ten that cuts the range into a hundred steps or more. */
function chooseStep({ minimum, maximum }) {
  return 10 ** Math.floor(Math.log10((maximum - minimum) / 100));
}

/** A model that was published without medians is met in the middle of what it saw. */
function chooseTypical({ typical, training_minimum: low, training_maximum: high, unit }) {
  return typical ?? (unit === "code" ? low : Math.round((low + high) / 2));
}

function describeTypical({ typical }) {
  return typical === null ? "" : `typically ${formatValue(typical)}`;
}

/** A measured value in words. */
function describeQuantity({ unit }, value) {
  return unit === "code" ? `code ${value}` : `${formatValue(value)}${unit === "ratio" ? "" : ` ${unit}`}`;
}

function describeLimits({ minimum, maximum }) {
  return `${formatValue(minimum)} to ${formatValue(maximum)}`;
}

/** What a logarithm stands for, which is what a laboratory writes down. */
function describeLogarithm({ unit }, value) {
  const inner = /^ln\((.+)\)$/.exec(unit)?.[1];
  return inner && Number.isFinite(value) ? `${Math.round(Math.exp(value))} ${inner}` : "";
}

/** One line of what there is to say. */
function joinWords(...words) {
  const line = words.filter(Boolean).join(", ");
  return line.charAt(0).toUpperCase() + line.slice(1);
}

/** The words before the comma name the measurement, those after it explain it. */
function splitMeaning(meaning) {
  const [label, ...rest] = meaning.split(", ");
  return [label, rest.join(", ")];
}

function cloneField(template, name) {
  const root = document.getElementById(template).content.cloneNode(true).firstElementChild;
  root.id = `field-${name}`;
  const [hint, message] = [root.querySelector(".hint"), root.querySelector(".message")];
  hint.id = `${name}-hint`;
  message.id = `${name}-message`;
  return { root, hint, message };
}

function createNumberField(feature, onChange) {
  const { name, minimum, maximum } = feature;
  const { root, hint, message } = cloneField("number-field", name);
  const [number, slider] = root.querySelectorAll("input");
  const step = chooseStep(feature);
  const [label, explanation] = splitMeaning(feature.meaning);
  root.querySelector(".name").textContent = label;
  root.querySelector("label").htmlFor = number.id = name;
  root.querySelector(".unit").textContent = feature.unit;
  hint.textContent = joinWords(explanation, describeLimits(feature), describeTypical(feature));
  slider.id = `${name}-slider`;
  root.querySelector("label").id = `${name}-label`;
  slider.setAttribute("aria-labelledby", `${name}-label`);
  for (const input of [number, slider]) {
    Object.assign(input, { min: minimum, max: maximum, step });
    input.setAttribute("aria-describedby", `${hint.id} ${message.id}`);
  }
  const share = (value) => (value - minimum) / (maximum - minimum);
  root.style.setProperty("--from", share(feature.training_minimum));
  root.style.setProperty("--to", share(feature.training_maximum));
  const logarithm = document.createElement("span");
  hint.append(logarithm);

  function follow(value) {
    slider.setAttribute("aria-valuetext", describeQuantity(feature, value));
    const stands = describeLogarithm(feature, value);
    logarithm.textContent = stands && `, now ${stands}`;
  }
  number.addEventListener("input", () => {
    if (Number.isFinite(number.valueAsNumber)) {
      slider.valueAsNumber = number.valueAsNumber;
      follow(number.valueAsNumber);
    }
    onChange();
  });
  slider.addEventListener("input", () => {
    number.value = slider.value;
    follow(slider.valueAsNumber);
    onChange();
  });
  return {
    root,
    message,
    label,
    inputs: [number, slider],
    // Not the browser's own check, which would refuse what lies between two steps.
    findFault: () => {
      const value = number.valueAsNumber;
      return value >= minimum && value <= maximum ? "" : `must be a number from ${describeLimits(feature)} (${feature.unit})`;
    },
    read: () => number.valueAsNumber,
    write(value) {
      number.value = value;
      slider.value = value;
      follow(value);
    },
  };
}

function createCodeField(feature, onChange) {
  const { root, hint, message } = cloneField("code-field", feature.name);
  const [label, explanation] = splitMeaning(feature.meaning);
  root.querySelector("legend").textContent = label;
  root.setAttribute("aria-describedby", `${hint.id} ${message.id}`);
  hint.textContent = joinWords(explanation, describeTypical(feature));
  const inputs = [];
  for (let code = feature.minimum; code <= feature.maximum; code += 1) {
    const option = document.createElement("label");
    const input = Object.assign(document.createElement("input"), { type: "radio", name: feature.name, value: code });
    input.addEventListener("change", onChange);
    option.append(input, `Code ${code}`);
    root.querySelector(".codes").append(option);
    inputs.push(input);
  }
  return {
    root,
    message,
    label,
    inputs,
    findFault: () => "",
    read: () => Number(inputs.find((input) => input.checked).value),
    write: (value) => inputs.forEach((input) => (input.checked = Number(input.value) === value)),
  };
}

/** All inputs, in `container`; `onChange` is called at every step of every one of them. */
export function createFields(container, features, onChange) {
  const fields = new Map();
  for (const feature of features) {
    const create = feature.unit === "code" ? createCodeField : createNumberField;
    const field = create(feature, onChange);
    field.describeValue = (value) => describeQuantity(feature, value);
    fields.set(feature.name, field);
    container.append(field.root);
  }

  function show(field, text, kind) {
    field.message.textContent = text && `${field.label} ${text}`;
    field.message.className = `message ${kind}`;
    field.message.hidden = !text;
    for (const input of field.inputs) {
      input.setAttribute("aria-invalid", String(Boolean(text) && kind === "error"));
    }
  }

  return {
    get: (name) => fields.get(name),
    /** The values by name, or null, with a message beside each field that cannot be sent. */
    read() {
      let faulty = false;
      for (const field of fields.values()) {
        const fault = field.findFault();
        faulty ||= Boolean(fault);
        // A warning stays until the next answer, so that nothing jumps while a slider moves.
        if (fault || field.message.classList.contains("error")) {
          show(field, fault, "error");
        }
      }
      return faulty ? null : Object.fromEntries([...fields].map(([name, field]) => [name, field.read()]));
    },
    writeTypical: () => features.forEach((feature) => fields.get(feature.name).write(chooseTypical(feature))),
    /** Messages by field, in the service's words; all earlier ones go. */
    showMessages(messages, kind) {
      const texts = new Map(messages.map(({ field, message }) => [field, message]));
      for (const [name, field] of fields) {
        show(field, texts.get(name) ?? "", kind);
      }
    },
    focusFault: () => [...fields.values()].find((field) => field.findFault())?.inputs[0].focus(),
  };
}
