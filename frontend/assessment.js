// The answer to what somebody told: how soon, warning signs, what was understood, what it may be, what to ask next.

import { provenance, warning } from "./answers.js";
import { el, list, section } from "./dom.js";
import { percent } from "./figures.js";
import { understood } from "./told.js";
import { leveled, verdict } from "./verdict.js";

const REPLIES = [["yes", "Yes"], ["no", "No"], ["unsure", "Unsure"]];
const NAMED_AT_MOST = 40;

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Where no condition stands out, nothing is calm either: warning signs alone have a colour then.
function howSoon(answer) {
  const { triage, abstain, demo_mode: demo, red_flags: flags } = answer;
  const calm = ["none", "routine"].includes(triage.level);
  const reasons = triage.reasons.filter(({ code }) => code !== "red_flag");
  return verdict({ triage: { ...triage, reasons } }, { neutral: demo ? !flags.length : abstain && calm });
}

function warningSigns({ red_flags: flags }) {
  return flags.length ? section("Warning signs", el("ul", { class: "flags" }, flags.map((flag) =>
    el("li", { "data-tone": flag.level }, el("strong", {}, leveled(flag.level)), " ", flag.message)))) : [];
}

// Findings of the case that are not there count too.
function speaks(title, icon, names, there) {
  if (!names.length) return null;
  const said = names.map((name) => (there.has(name) ? name : `no ${name}`)).join(", ");
  return el("p", { class: "speaks" }, el("span", { class: "icon", "aria-hidden": "true" }, icon), ` ${title}: ${said}`);
}

// What is not ruled out has no probability of nought.
const share = (value) => (value < 0.0005 ? "< 0.1%" : percent(value));

const bar = (value) => [el("span", { class: "bar", "--value": value, "aria-hidden": "true" }), el("span", { class: "number" }, share(value))];

function condition(one, there, open) {
  const title = capital(one.lay_name ?? one.disease);
  const facts = [
    one.disease.toLowerCase() === title.toLowerCase() ? null : one.disease,
    one.icd10 ? `ICD-10 ${one.icd10}` : null, open ? "still in question" : null,
  ].filter(Boolean);
  const about = one.description || one.precautions.length
    ? el("details", {}, el("summary", {}, `About ${one.lay_name ?? one.disease}`), el("p", {}, one.description), list(one.precautions)) : null;
  return el("li", { class: open ? "kept" : null },
    el("span", { class: "label" }, title, facts.length ? el("small", {}, facts.join(" · ")) : null), bar(one.probability),
    el("div", { class: "why" }, speaks("Speaks for it", "+", one.speaks_for, there), speaks("Speaks against it", "−", one.speaks_against, there), about));
}

function inQuestion({ prediction_set: { classes: names, measured } }) {
  if (!names.length) return [];
  const count = names.length === 1 ? "One condition is" : `${names.length} conditions are`;
  const more = names.length - NAMED_AT_MOST;
  const held = measured.vignettes ? ` On clinical vignettes such a set held the right one in ${percent(measured.vignettes.value)} of cases.` : "";
  return [el("p", {}, `${count} still in question.${held}`), el("details", {}, el("summary", {}, "Which they are"),
    el("p", {}, names.slice(0, NAMED_AT_MOST).join(", "), more > 0 ? `, and ${more} less probable ones` : ""))];
}

function ranking(answer) {
  const there = new Set(answer.symptoms_analyzed);
  const open = new Set(answer.prediction_set.classes);
  const { abstain, abstain_reasons: reasons, something_else: other, top_predictions: ranked } = answer;
  const rows = ranked.map((one) => condition(one, there, open.has(one.disease)));
  if (rows.length && other !== null) rows.push(el("li", {}, el("span", { class: "label" }, "Something else, which is not known here"), bar(other)));
  return section(abstain ? "What it might be" : "Most probable",
    abstain ? el("p", { class: "notice" }, el("strong", {}, "No condition is named. "), reasons.join(" ")) : "",
    rows.length ? el("ol", { class: "ranked" }, rows) : "", ...inQuestion(answer));
}

function question(one, number, asked, level) {
  const id = `question-${number}`;
  return el("div", { class: "question", role: "group", "aria-labelledby": id }, el("p", { id }, one.question),
    el("div", { class: "replies" }, REPLIES.map(([value, text]) =>
      el("button", { type: "button", onclick: () => asked.reply(one, value, level) }, text))));
}

function answered([finding, { question: text, reply }], asked, level) {
  return el("li", {}, `${text} `, el("strong", {}, REPLIES.find(([value]) => value === reply)[1]), " ",
    el("button", { type: "button", "aria-label": `Take back: ${text}`, onclick: () => asked.takeBack(finding, level) }, "Take back"));
}

// data-next: where to go on after a question; not where it has become another matter how soon this must be seen.
function questions(answer, asked) {
  const { level } = answer.triage;
  const open = answer.next_questions.filter(({ finding }) => !asked.replies.has(finding));
  if (!open.length && !asked.replies.size) return null;
  return el("div", { class: "questions", tabindex: -1, "data-next": asked.level === level, role: "group", "aria-labelledby": "questions-title" },
    el("h3", { id: "questions-title" }, open.length ? "Questions that would tell most" : "No further questions"),
    open.map((one, number) => question(one, number, asked, level)),
    asked.replies.size ? el("details", { open: true }, el("summary", {}, `You have answered ${asked.replies.size}`),
      el("ul", {}, [...asked.replies].map((one) => answered(one, asked, level)))) : null);
}

function recommendations(answer) {
  const said = new Set([answer.triage.text, ...answer.red_flags.map(({ message }) => message)]);
  const others = answer.recommendations.filter((text) => !said.has(text));
  return others.length ? section("Recommendations", list(others)) : [];
}

// Somebody who thinks of dying is given no list of illnesses, no figures and no alarm: words, and whom to call.
function help(answer) {
  return [
    el("div", { class: "help" },
      el("h3", {}, "You do not have to go through this alone"),
      el("p", {}, answer.triage.reasons[0].text),
      el("h3", {}, "What helps now"),
      list(answer.recommendations)),
    el("p", { class: "hint" }, answer.disclaimer),
  ];
}

export function symptomAnswer(answer, asked) {
  if (answer.triage.reasons.some(({ code }) => code === "self_harm")) return help(answer);
  return [
    warning(answer),
    howSoon(answer),
    ...warningSigns(answer),
    ...understood(answer, asked.description),
    ...ranking(answer),
    questions(answer, asked),
    ...recommendations(answer),
    el("p", { class: "notice" }, answer.disclaimer),
    provenance(answer),
  ];
}
