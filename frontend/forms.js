// One form for each kind of task: a picture, symptoms, measured factors.

import { symptomPicker } from "./picker.js";
import { el, fetchJson } from "./dom.js";

function submitButton(text, disabled = false) {
  return el("button", { type: "submit", class: "primary", disabled }, text);
}

const RECORDING_NAME = /\.(hea|dat|csv|tsv|txt|edf)$/i;

const isRecording = (files) => files.some((file) => RECORDING_NAME.test(file.name));

function hints(task) {
  const pictures = ` PNG, JPEG, WebP, TIFF, BMP, GIF${task.input.pdf_pages ? ", PDF" : ""} or DICOM, up to 32 MB`;
  const views = task.input.max_pictures > 1 ? `; up to ${task.input.max_pictures} views of one side` : "";
  return pictures + views + (task.signal ? "; or a recording: WFDB (.hea with .dat), CSV or EDF" : "");
}

export function imageForm(task, send) {
  let files = [];
  let address = null;
  const kinds = ["image/*", ".dcm", "application/dicom"];
  if (task.input.pdf_pages) kinds.push(".pdf");
  if (task.signal) kinds.push(".hea", ".dat", ".csv", ".tsv", ".txt", ".edf");
  const several = task.input.max_pictures > 1 || Boolean(task.signal);
  const chooser = el("input", { type: "file", id: "image", accept: kinds.join(","), multiple: several });
  const preview = el("img", { alt: "Preview of the chosen picture", hidden: true });
  const label = el("span", {}, "Drop a picture here, or press to choose one");
  const drop = el("label", { class: "drop", for: "image" }, preview, label,
    el("span", { class: "hint" }, hints(task)), chooser);
  const button = submitButton("Analyse", true);
  const placeholder = task.age_counts ? "" : "as the picture tells";
  const age = el("input", { type: "number", id: "age_years", min: 0, max: 130, step: "any", placeholder });
  const ageField = task.age_counts || task.populations?.length > 1
    ? el("div", { class: "field" }, el("label", { for: "age_years" }, "Age in years, if known"), age) : null;

  function take(chosen) {
    if (!chosen.length) return;
    if (address) URL.revokeObjectURL(address);
    files = several ? [...chosen] : [chosen[0]];
    const pictured = !isRecording(files);
    address = pictured ? URL.createObjectURL(files[0]) : null;
    preview.hidden = !pictured;
    if (pictured) preview.src = address;
    label.textContent = files.map((file) => file.name).join(", ");
    button.disabled = false;
  }
  preview.addEventListener("error", () => { preview.hidden = true; });
  chooser.addEventListener("change", () => take(chooser.files));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });

  const submit = async (event) => {
    event.preventDefault();
    const body = new FormData();
    const field = isRecording(files) ? "record" : "image";
    for (const file of files) body.append(field, file);
    button.disabled = true;
    await send({ body }, address, age.value === "" ? {} : { age_years: age.value });
    button.disabled = false;
  };
  return el("form", { onsubmit: submit }, ...[drop, ageField, button].filter(Boolean));
}

function jsonRequest(content) {
  return { body: JSON.stringify(content), headers: { "Content-Type": "application/json" } };
}

export async function symptomForm(_task, send) {
  const { symptoms } = await fetchJson("/symptoms");
  const button = submitButton("Find diseases", true);
  const picker = symptomPicker(symptoms, (chosen) => { button.disabled = chosen.length === 0; });
  const age = el("input", { id: "age", type: "number", min: 0, max: 120, inputmode: "numeric" });
  const sex = el("select", { id: "sex" },
    el("option", { value: "" }, "not given"), el("option", { value: "female" }, "female"), el("option", { value: "male" }, "male"));
  const submit = (event) => {
    event.preventDefault();
    const content = { symptoms: picker.chosen() };
    if (age.value) content.age = Number(age.value);
    if (sex.value) content.sex = sex.value;
    return send(jsonRequest(content));
  };
  return el("form", { onsubmit: submit }, picker.element,
    el("div", { class: "fields" },
      el("div", { class: "field" }, el("label", { for: "age" }, "Age in years (optional)"), age),
      el("div", { class: "field" }, el("label", { for: "sex" }, "Sex (optional)"), sex)),
    button);
}

function riskInput(field) {
  const id = `field-${field.name}`;
  const unit = field.unit && field.unit !== "1" ? `, ${field.unit}` : "";
  const label = el("label", { for: id }, `${field.label}${unit}${field.required ? "" : " (optional)"}`);
  if (field.categories.length) {
    const options = field.categories.map(({ value, label: text }) => el("option", { value }, text));
    return el("div", { class: "field" }, label,
      el("select", { id, name: field.name }, el("option", { value: "" }, "not known"), options));
  }
  return el("div", { class: "field" }, label, el("input", {
    id, name: field.name, type: "number", step: "any", min: field.minimum, max: field.maximum,
    placeholder: `${field.minimum} to ${field.maximum}`,
  }));
}

export function riskForm(task, send) {
  const submit = (event) => {
    event.preventDefault();
    const given = [...new FormData(event.target)].filter(([, value]) => value !== "");
    return send(jsonRequest(Object.fromEntries(given.map(([name, value]) => [name, Number(value)]))));
  };
  return el("form", { onsubmit: submit },
    el("div", { class: "fields" }, task.fields.map(riskInput)), submitButton("Estimate the risk"));
}
