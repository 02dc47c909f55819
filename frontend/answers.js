// Turns answers into elements. Knows the shape of an answer, and no class, disease or field by name.

import { el, list, section } from "./dom.js";
import { bars, facts, percent, span, table } from "./figures.js";
import { classes, findings, imageVerdict, nameOf, verdict, warnings } from "./verdict.js";

export function warning(answer) {
  return answer.warning ? el("p", { class: "notice", role: "alert" }, answer.warning) : null;
}

const TOLD_BY = { age_years: "the age given", dicom: "the DICOM file", picture: "the picture" };

export function provenance(answer) {
  return el("details", {},
    el("summary", {}, "Model and request"),
    facts([
      ["Model", answer.model.version], ["SHA-256", answer.model.sha256], ["Trained on", answer.model.trained_on],
      ["Judged as of", answer.model.population], ["Thresholds of", answer.model.judged_as],
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

function range({ low, high }) {
  if (low === null && high === null) return "";
  return low === null ? `up to ${high}` : high === null ? `from ${low}` : `${low} to ${high}`;
}

// Of the whole recording; those of each lead are in the answer only.
function measurements(answer) {
  const whole = (answer.measurements ?? []).filter((one) => !one.lead);
  const rows = whole.map((one) => el("tr", {},
    el("th", { scope: "row" }, one.name),
    el("td", {}, one.value === null ? one.how : `${one.value}${one.unit === "1" ? "" : ` ${one.unit}`}`),
    el("td", {}, range(one)), el("td", {}, one.finding?.name ?? one.state.replaceAll("_", " "))));
  return rows.length ? section("Measured", table(["Measurement", "Value", "Reference", "State"], rows)) : [];
}

export function imageAnswer(answer, source, task) {
  const { staging, recommendation } = answer;
  return [
    ...warnings(answer),
    imageVerdict(answer),
    ...findings(answer),
    ...classes(answer, task),
    ...measurements(answer),
    ...recording(answer),
    ...section("What moved the answer", ...picture(answer, source)),
    ...section(recommendation.title, el("p", {}, recommendation.message), list(recommendation.actions)),
    ...section("Staging", el("p", {}, el("strong", {}, staging.stage),
      ` ${[staging.description, staging.prognosis].filter((text) => text !== staging.stage).join(" ")}`)),
    ...section("Treatment options", list(answer.treatment_options)),
    el("p", { class: "notice" }, answer.disclaimer),
    provenance(answer),
  ];
}

function inWords(field, factor) {
  const category = field?.categories.find(({ value }) => value === factor.value);
  return category ? category.label : `${factor.value} ${factor.unit}`;
}

function riskVerdict(answer) {
  const { risk_level: level, condition, abstain } = answer.prediction;
  const headline = abstain ? condition : `${level} risk`;
  return [verdict(answer, {
    headline, state: abstain ? level : null, neutral: abstain || answer.demo_mode,
    beside: abstain ? [] : [el("p", {}, condition)],
  })];
}

// A probability that is no answer is not shown; the range in which it may lie is.
function riskFigure({ probability, interval: range, abstain }) {
  if (!range) return bars([{ label: "Risk", value: probability }]);
  const reach = `90% interval ${percent(range.low)} to ${percent(range.high)}`;
  return el("div", { class: "risk" }, el("p", {}, abstain ? null : el("strong", {}, percent(probability)), ` ${reach}`),
    span(range.low, abstain ? null : probability, range.high));
}

function notGiven(answer, title) {
  if (!answer.missing.length) return [];
  if (!answer.missing_factors?.length) return [el("p", { class: "hint" }, `Not given: ${answer.missing.map(title).join(", ")}`)];
  const rows = answer.missing_factors.map((factor) => el("tr", {},
    el("th", { scope: "row" }, title(factor.name)),
    el("td", {}, `${percent(factor.low)} to ${percent(factor.high)}`),
    el("td", { class: "number" }, percent(factor.information))));
  const carried = answer.information === null ? "" : `What was given carries ${percent(answer.information)} of the information. `;
  return section("Not given",
    el("p", { class: "hint" }, `${carried}Where the probability would be in nine of ten such patients once a factor is given too:`),
    table(["Factor", "Probability then", "Adds"], rows));
}

export function riskAnswer(answer, _source, task) {
  const fields = new Map(task.fields.map((field) => [field.name, field]));
  const title = (name) => fields.get(name)?.label ?? name;
  const rows = Object.entries(answer.risk_factors).map(([name, factor]) =>
    el("tr", {},
      el("th", { scope: "row" }, title(name), factor.note ? el("small", {}, factor.note) : null),
      el("td", {}, inWords(fields.get(name), factor)),
      el("td", {}, factor.value_level ?? ""),
      el("td", { class: `risk-${factor.risk}` }, factor.risk),
      el("td", { class: "number" }, factor.contribution.toFixed(2))));
  return [
    warning(answer),
    ...riskVerdict(answer),
    riskFigure(answer.prediction),
    ...notGiven(answer, title),
    ...section("Factors", table(["Factor", "Value", "Its own range", "What it adds", "Log-odds"], rows)),
    ...section("Recommendations", list(answer.recommendations)),
    el("p", { class: "notice" }, answer.disclaimer),
    provenance(answer),
  ];
}

export function errorBox(error) {
  return el("div", { class: "error", role: "alert" }, error.message,
    error.code ? el("small", {}, `${error.code}${error.request_id ? ` · request ${error.request_id}` : ""}`) : null);
}
