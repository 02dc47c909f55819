// What an answer says first: warnings, triage, findings, classes.

import { el, list, section } from "./dom.js";
import { bars, facts, gauge, interval, percent } from "./figures.js";

const LEVELS = {
  emergency: ["‼", "Emergency"], urgent: ["!", "Urgent"], soon: ["▲", "Soon"], routine: ["●", "Routine"],
  none: ["○", "No urgency"],
};
const STATES = { ruled_out: ["✓", "ruled out"], indeterminate: ["?", "not ruled out"], suspected: ["!", "suspected"] };

const notice = (text) => el("p", { class: "notice", role: "alert" }, text);

const signed = ([icon, word]) => [el("span", { class: "icon", "aria-hidden": "true" }, icon), ` ${word}`];

export const leveled = (level) => signed(LEVELS[level]);

export const nameOf = (answer, code) => answer.all_predictions.find((c) => c.code === code)?.name ?? code;

export function warnings(answer) {
  const { warnings: told, cropped, cropped_pictures: each } = answer.input_check;
  const partRead = ([x, y, width, height], which) =>
    notice(`Only a part of ${which} was read: ${width} × ${height} pixels from ${x}, ${y}.`);
  return [
    answer.warning ? notice(answer.warning) : null,
    ...told.map(notice),
    ...(each ?? [cropped]).map((part, i) => (part ? partRead(part, each ? `picture ${i + 1}` : "the picture") : null)),
  ];
}

// How soon to act, in colour and words, and why. An example, and an answer that says nothing, have no colour of a
// level, least of all that of "all is well". state: what is to be known of the answer as a whole. headline: left out
// where what is to be done comes first. beside: further lines.
export function verdict(answer, { headline, when, state, neutral, beside = [] }) {
  const { level, reasons, text } = answer.triage;
  const others = reasons.filter((reason) => reason.text !== text)
    .map((reason) => (reason.level === level ? reason.text : `${reason.text} (${LEVELS[reason.level][1].toLowerCase()})`));
  return el("div", { class: "triage", "data-tone": neutral ? "neutral" : level },
    el("p", { class: "level" }, signed(LEVELS[level]), state ? ` · ${state}` : null),
    el("p", { class: "headline" }, headline ?? text),
    headline ? el("p", {}, when ? el("strong", {}, `${when}: `) : null, text) : null,
    beside, others.length ? list(others) : null);
}

export function imageVerdict(answer) {
  const { abstain, settled, birads } = answer.prediction;
  return verdict(answer, {
    headline: answer.headline,
    when: answer.urgency.timeline,
    state: abstain ? "do not lean on this answer" : settled ? null : "not settled",
    neutral: abstain || answer.demo_mode,
    beside: birads && !abstain ? [el("p", {}, `BI-RADS ${birads}`)] : [],
  });
}

// Thresholds are often small: enough digits that a probability and a threshold differ where their order counts.
const fine = (share) => percent(share, share > 0 && share < 0.01 ? 2 : 1);

function zones(finding) {
  const { rule_out_below: out, rule_in_from: from } = finding;
  const told = [
    out === null ? finding.why_never_ruled_out : `ruled out below ${fine(out)}`,
    from === null ? null : `suspected from ${fine(from)}`,
    finding.site ? `thresholds of this site's own, of ${finding.site.made_on}, chosen on ${finding.site.cases} cases` : null,
  ].filter(Boolean);
  return (told.length ? told : ["no thresholds: not measured"]).map((text) => el("small", {}, text));
}

function measured(finding) {
  const told = finding.site ?? finding;
  return el("details", {}, el("summary", {}, `Measured on ${finding.site ? "this site's own" : "test"} cases`), facts([
    ["Cases with it", told.count], ["of these, not ruled out", interval(told.sensitivity)],
    ["of these, suspected", interval(told.suspected)],
    ["Cases without it, not suspected", interval(told.specificity)],
    ["of these, ruled out", interval(told.ruled_out)],
  ]));
}

export function findings(answer) {
  if (!answer.findings.length) return [];
  const groups = answer.findings.map((finding) => el("tbody", {},
    el("tr", {},
      el("th", { scope: "row" }, finding.name),
      el("td", { class: "state", "data-state": finding.state }, signed(STATES[finding.state])),
      el("td", { class: "number" }, fine(finding.probability))),
    el("tr", {}, el("td", { colspan: 3 },
      gauge(finding.probability, [finding.rule_out_below, finding.rule_in_from]),
      zones(finding),
      measured(finding)))));
  return section("Findings", el("table", { class: "findings" },
    el("thead", {}, el("tr", {}, ["Finding", "State", "Probability"].map((title) => el("th", { scope: "col" }, title)))),
    groups));
}

function inQuestion(answer) {
  const { classes, coverage, note, measured: held = {} } = answer.prediction_set;
  const names = classes.map((code) => nameOf(answer, code)).join(", ") || "none of the classes";
  const shares = Object.entries(held).map(([code, share]) => [nameOf(answer, code), interval(share)]);
  return [
    el("p", { class: "hint" }, `Still in question at ${Math.round(100 * coverage)}%: ${names}. ${note}`),
    shares.length ? el("details", {}, el("summary", {}, "How often the true class was among them on test"), facts(shares)) : "",
  ];
}

// Where the class that is named is not the most probable one.
function namedBefore(answer) {
  const first = answer.all_predictions[0];
  return answer.multi_label || first.code === answer.prediction.code ? ""
    : el("p", { class: "hint" }, `${answer.prediction.name} is named before ${first.name}, which is more probable: the findings decide.`);
}

export function classes(answer, task) {
  const gravity = new Map(task.classes.map(({ code, severity }) => [code, severity]));
  const open = new Set(answer.prediction_set.classes);
  return section("All classes", bars(answer.all_predictions.map((c) => ({
    label: c.name, value: c.confidence, gravity: answer.prediction.abstain ? "none" : gravity.get(c.code), kept: open.has(c.code),
    notes: [gravity.get(c.code), open.has(c.code) ? "still in question" : null].filter(Boolean),
  }))), namedBefore(answer), ...inQuestion(answer));
}
