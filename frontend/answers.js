// Turns answers into elements. Knows the shape of an answer, and no class, disease or field by name.

import { el, list, section } from "./dom.js";

const percent = (value) => `${(100 * value).toFixed(1)}%`;

// A wide table scrolls by itself; the page does not.
const table = (titles, rows) => el("div", { class: "scroll", tabindex: 0 }, el("table", {},
  el("thead", {}, el("tr", {}, titles.map((title) => el("th", { scope: "col" }, title)))),
  el("tbody", {}, rows)));

function bars(entries) {
  return el("ol", { class: "bars" }, entries.map(({ label, value }) =>
    el("li", {},
      el("span", {}, label),
      el("meter", { min: 0, max: 1, value, "aria-label": label }, percent(value)),
      el("span", { class: "number" }, percent(value)))));
}

function facts(pairs) {
  return el("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]).flat());
}

function warning(answer) {
  return answer.warning ? el("p", { class: "notice", role: "alert" }, answer.warning) : null;
}

const TOLD_BY = { age_years: "the age given", dicom: "the DICOM file", picture: "the picture" };

function provenance(answer) {
  return el("details", {},
    el("summary", {}, "Model and request"),
    facts([
      ["Model", answer.model.version], ["SHA-256", answer.model.sha256], ["Trained on", answer.model.trained_on],
      ["Judged as of", answer.model.population],
      ["Population told by", TOLD_BY[answer.model.population_told_by]],
      ["Age told by", TOLD_BY[answer.model.age_told_by]],
      ["Evidence", answer.model.evidence], ["Time", `${answer.processing_ms} ms`], ["Request", answer.request_id],
    ]),
    el("p", {}, el("a", { href: `/models/${answer.model.task}/card?format=html` }, "Model card")));
}

// A format that the browser cannot draw, such as DICOM.
function withoutFigure(event) {
  event.target.closest("figure").remove();
}

function picture(answer, source) {
  const explanation = answer.explanation;
  const original = source
    ? el("figure", {}, el("img", { src: source, alt: "The picture that was sent", onerror: withoutFigure }),
      el("figcaption", {}, "Sent")) : "";
  if (!explanation.heatmap_url) return [original, el("p", { class: "hint" }, explanation.note)];
  const overlay = el("img", { src: explanation.heatmap_url, alt: `Heatmap for ${nameOf(answer, explanation.class)}` });
  return [
    el("div", { class: "explained" }, original,
      el("figure", {}, overlay, el("figcaption", {}, `${explanation.method}, ${nameOf(answer, explanation.class)}`))),
    el("p", { class: "hint" }, explanation.note),
  ];
}

const READ_AS = {
  recording: "the digital recording", page_signal: "the signal read off the page", page_picture: "the picture of the page",
};

function recording(answer) {
  const read = answer.recording;
  if (!read) return [];
  return section("What was read", facts([
    ["Answered from", READ_AS[read.read_as]], ["Sampling rate", read.sampling_rate_hz && `${read.sampling_rate_hz} Hz`],
    ["Duration", read.duration_s && `${read.duration_s} s`], ["Unit", read.unit],
    ["Computed leads", read.derived_leads?.join(", ")], ["Flat leads", read.flat_leads?.join(", ")],
    ["Layout", read.page?.layout], ["Paper speed", read.page && `${read.page.speed_mm_per_s} mm/s`],
    ["Gain", read.page && `${read.page.gain_mm_per_mv} mm/mV`],
  ]), read.csv_url ? el("p", {}, el("a", { href: read.csv_url }, "Signal as CSV"), " · ",
    el("a", { href: read.wfdb_url }, "Signal as WFDB")) : "");
}

function abstention(prediction) {
  return prediction.abstain
    ? el("p", { class: "notice", role: "alert" }, `Do not rely on this answer. ${prediction.abstain_reason}`) : null;
}

const figure = (f) => (f ? `${percent(f.value)} (${percent(f.low)} to ${percent(f.high)})` : "not measured");

function operatingPoints(points) {
  if (!points.length) return [];
  const rows = points.map((point) => el("tr", {},
    el("th", { scope: "row" }, point.finding),
    el("td", {}, percent(point.probability), point.reached ? ", called" : ", not called"),
    el("td", {}, percent(point.threshold)),
    el("td", {}, figure(point.sensitivity)), el("td", {}, figure(point.specificity))));
  const titles = ["Finding", "Probability", "Called from", "Sensitivity", "Specificity"];
  return section("Findings that must not be missed",
    ...points.filter((point) => point.message).map((point) => el("p", { class: "notice" }, point.message)),
    table(titles, rows));
}

const nameOf = (answer, code) => answer.all_predictions.find((c) => c.code === code)?.name ?? code;

function inQuestion(answer) {
  const { classes, coverage, note } = answer.prediction_set;
  const names = classes.map((code) => nameOf(answer, code)).join(", ") || "none of the classes";
  return `Still in question at ${Math.round(100 * coverage)}%: ${names}. ${note}`;
}

// Where the class that is named is not the most probable one, the rule that named it.
function namedBy(answer) {
  const rule = answer.model.operating_point?.rule;
  const first = answer.all_predictions[0];
  return rule && !answer.multi_label && first.code !== answer.prediction.code
    ? el("p", { class: "hint" }, `Named before ${first.name}, which is more probable, by this model's rule: ${rule}.`) : "";
}

function urgency(answer) {
  const box = el("div", { class: "urgency" },
    el("p", {}, el("strong", {}, answer.urgency.timeline)), el("p", {}, answer.urgency.action));
  box.style.setProperty("--urgency", answer.urgency.color);
  return box;
}

export function imageAnswer(answer, source) {
  const { prediction, staging, recommendation } = answer;
  const birads = prediction.birads ? ` · BI-RADS ${prediction.birads}` : "";
  return [
    warning(answer),
    ...answer.input_check.warnings.map((text) => el("p", { class: "notice", role: "alert" }, text)),
    abstention(prediction),
    el("p", { class: "headline" }, prediction.name),
    el("p", {}, `${prediction.confidence_percent} · ${prediction.type} · severity ${answer.severity}${birads}`),
    urgency(answer),
    ...section("All classes", bars(answer.all_predictions.map((c) => ({ label: c.name, value: c.confidence }))),
      namedBy(answer), el("p", { class: "hint" }, inQuestion(answer))),
    ...operatingPoints(answer.operating_points),
    ...recording(answer),
    ...section("What moved the answer", ...picture(answer, source)),
    ...section(recommendation.title, el("p", {}, recommendation.message), list(recommendation.actions)),
    ...section("Staging", el("p", {}, el("strong", {}, staging.stage), ` ${staging.description} ${staging.prognosis}`)),
    ...section("Treatment options", list(answer.treatment_options)),
    el("p", { class: "notice" }, answer.disclaimer),
    provenance(answer),
  ];
}

export function diseaseAnswer(answer) {
  const unknown = answer.symptoms_unrecognized.map(({ given, suggestions }) =>
    suggestions.length ? `${given} (did you mean ${suggestions.join(", ")}?)` : given);
  return [
    warning(answer),
    el("p", { class: "headline" }, answer.prediction.disease),
    el("p", {}, answer.prediction.confidence_percent),
    ...section("Most probable", bars(answer.top_predictions.map((d) => ({ label: d.disease, value: d.probability })))),
    ...answer.top_predictions.filter((d) => d.description).map((d) =>
      el("details", {}, el("summary", {}, d.disease), el("p", {}, d.description), list(d.precautions))),
    ...section("Understood as", el("p", {}, answer.symptoms_analyzed.join(", "))),
    ...(unknown.length ? section("Not understood", list(unknown)) : []),
    ...section("Recommendations", list(answer.recommendations)),
    el("p", { class: "notice" }, answer.disclaimer),
    provenance(answer),
  ];
}

function inWords(field, factor) {
  const category = field?.categories.find(({ value }) => value === factor.value);
  return category ? category.label : `${factor.value} ${factor.unit}`;
}

export function riskAnswer(answer, _source, task) {
  const fields = new Map(task.fields.map((field) => [field.name, field]));
  const title = (name) => fields.get(name)?.label ?? name;
  const rows = Object.entries(answer.risk_factors).map(([name, factor]) =>
    el("tr", {},
      el("th", { scope: "row" }, title(name)),
      el("td", {}, inWords(fields.get(name), factor)),
      el("td", {}, factor.value_level ?? ""),
      el("td", { class: `risk-${factor.risk}` }, factor.risk),
      el("td", {}, factor.contribution.toFixed(2)),
      el("td", {}, factor.note ?? "")));
  const weighed = answer.missing_factors.map(({ name, low, high }) => `${title(name)}: ${percent(low)} to ${percent(high)}`);
  const { interval, abstain } = answer.prediction;
  return [
    warning(answer),
    el("p", { class: "headline" }, abstain ? answer.prediction.condition : `${answer.prediction.risk_level} risk`),
    el("p", {}, `${answer.triage.text} (${answer.triage.level})`),
    list(answer.triage.reasons.map(({ text }) => text)),
    ...(abstain ? [] : [bars([{ label: answer.prediction.condition, value: answer.prediction.probability }])]),
    el("p", { class: "hint" }, `Between ${percent(interval.low)} and ${percent(interval.high)}, at least nine times in ten`),
    ...section("Factors", table(["Factor", "Value", "Its own range", "In this estimate", "Contribution", ""], rows)),
    ...(weighed.length ? section("Not given; where the estimate would come to lie", list(weighed)) : []),
    ...section("Recommendations", list(answer.recommendations)),
    el("p", { class: "notice" }, answer.disclaimer),
    provenance(answer),
  ];
}

export function errorBox(error) {
  return el("div", { class: "error", role: "alert" }, error.message,
    error.code ? el("small", {}, `${error.code}${error.request_id ? ` · request ${error.request_id}` : ""}`) : null);
}
