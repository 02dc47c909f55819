// One form for each kind of task: a picture, measured factors; that for symptoms is in symptoms.js.

import { el } from "./dom.js";

export function submitButton(text, disabled = false) {
  return el("button", { type: "submit", class: "primary", disabled }, text);
}

const RECORDING_NAME = /\.(hea|dat|csv|tsv|txt|edf)$/i;

const isRecording = (files) => files.some((file) => RECORDING_NAME.test(file.name));

function hints(task) {
  const pictures = ` PNG, JPEG, WebP, TIFF, BMP, GIF${task.input.pdf_pages ? ", PDF" : ""} or DICOM, up to 32 MB`;
  const views = task.input.max_pictures > 1 ? `; up to ${task.input.max_pictures} views of one side` : "";
  return pictures + views + (task.signal ? "; or a recording: WFDB (.hea with .dat), CSV or EDF" : "");
}

// A place to drop files on, or to choose them. Calls onTake when others were taken.
function filePicker(task, onTake) {
  let files = [];
  let address = null;
  const kinds = ["image/*", ".dcm", "application/dicom"];
  if (task.input.pdf_pages) kinds.push(".pdf");
  if (task.signal) kinds.push(".hea", ".dat", ".csv", ".tsv", ".txt", ".edf");
  const several = task.input.max_pictures > 1 || Boolean(task.signal);
  const chooser = el("input", { type: "file", id: "image", accept: kinds.join(","), multiple: several });
  const preview = el("img", { alt: "Preview of the chosen picture", hidden: true });
  const label = el("span", {}, "Drop a picture here, or press to choose one");
  const element = el("label", { class: "drop", for: "image" }, preview, label,
    el("span", { class: "hint" }, hints(task)), chooser);

  function take(chosen) {
    if (!chosen.length) return;
    if (address) URL.revokeObjectURL(address);
    files = several ? [...chosen] : [chosen[0]];
    const pictured = !isRecording(files);
    address = pictured ? URL.createObjectURL(files[0]) : null;
    preview.hidden = !pictured;
    if (pictured) preview.src = address;
    label.textContent = files.map((file) => file.name).join(", ");
    onTake();
  }
  preview.addEventListener("error", () => { preview.hidden = true; });
  chooser.addEventListener("change", () => take(chooser.files));
  for (const name of ["dragenter", "dragover"]) {
    element.addEventListener(name, (event) => { event.preventDefault(); element.classList.add("over"); });
  }
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    take(event.dataTransfer.files);
  });
  return { element, files: () => files, address: () => address };
}

// A number that goes into the query under the name that is its id.
function queryNumber(id, title, properties) {
  const input = el("input", { type: "number", id, step: "any", ...properties });
  return { input, element: el("div", { class: "field" }, el("label", { for: id }, title), input) };
}

export function imageForm(task, send, clear) {
  const button = submitButton("Analyse", true);
  const age = queryNumber("age_years", "Age in years, if known",
    { min: 0, max: 130, placeholder: task.age_counts ? "" : "as the picture tells" });
  // Asked for only where a recording was refused because it does not say it.
  const rate = queryNumber("sampling_rate_hz", "Sampling rate of this recording in Hz", { min: 1, max: 10000 });
  const askRate = (asked) => {
    rate.element.hidden = !asked;
    rate.input.required = asked;
    if (!asked) rate.input.value = "";
  };
  const picker = filePicker(task, () => {
    clear();
    askRate(false);
    button.disabled = false;
  });
  askRate(false);

  const submit = async (event) => {
    event.preventDefault();
    const body = new FormData();
    const field = isRecording(picker.files()) ? "record" : "image";
    for (const file of picker.files()) body.append(field, file);
    const told = [age.input, rate.input].filter(({ value }) => value !== "").map(({ id, value }) => [id, value]);
    const error = await send({ body }, picker.address(), Object.fromEntries(told));
    if (error?.message.includes(rate.input.id)) {
      askRate(true);
      rate.input.focus();
    }
  };
  const asksAge = task.age_counts || task.populations?.length > 1;
  return el("form", { onsubmit: submit }, ...[picker.element, asksAge ? age.element : null, rate.element, button].filter(Boolean));
}

export function jsonRequest(content) {
  return { body: JSON.stringify(content), headers: { "Content-Type": "application/json" } };
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
