// What was understood, shown in the person's own text. Each kind has a sign and a line of its own beside its colour.

import { el, list, section } from "./dom.js";
import { table } from "./figures.js";

// The later a kind stands here, the more it counts where two fall on the same words.
const KINDS = {
  unknown: ["?", "not understood"],
  history: ["↺", "earlier, or in the family"],
  absent: ["✗", "said not to be there"],
  present: ["✓", "there"],
};

const kindOf = ({ present, history }) => (!present ? "absent" : history ? "history" : "present");

const sign = (kind) => el("span", { class: "icon", "aria-hidden": "true" }, KINDS[kind][0]);

const known = (told) => el("span", { class: "said", "data-kind": told.kind }, sign(told.kind), ` ${KINDS[told.kind][1]}`);

// Stretches of one kind each, from first to last; null where nothing was said of the words.
function stretches(length, passages) {
  const kinds = new Array(length).fill(null);
  for (const kind of Object.keys(KINDS)) {
    for (const one of passages) if (one.kind === kind) kinds.fill(kind, one.start, one.end);
  }
  const found = [];
  kinds.forEach((kind, at) => {
    if (at && found.at(-1).kind === kind) found.at(-1).end = at + 1;
    else found.push({ kind, start: at, end: at + 1 });
  });
  return found;
}

// Places are counted in whole characters, as the service does, not in the halves of which JavaScript makes some.
function ownText(description, passages) {
  const letters = [...description];
  return stretches(letters.length, passages).map(({ kind, start, end }) => {
    const text = letters.slice(start, end).join("");
    if (!kind) return text;
    const names = passages.filter((one) => one.kind === kind && one.start < end && one.end > start && one.name).map(({ name }) => name);
    const meaning = [KINDS[kind][1], [...new Set(names)].join(", ")].filter(Boolean).join(": ");
    return el("mark", { class: "said", "data-kind": kind, title: meaning },
      sign(kind), text, el("span", { class: "unseen" }, ` (${meaning})`));
  });
}

function readAs(answer, passages) {
  const rows = [
    ...passages.filter(({ name }) => name).map((one) => [one.text, one.name, one]),
    ...answer.symptoms_matched.map(({ given, name }) => [given, name, { kind: "present" }]),
  ].map(([words, name, one]) => el("tr", {}, el("th", { scope: "row" }, words), el("td", {}, name), el("td", {}, known(one))));
  return rows.length ? el("details", {},
    el("summary", {}, `What each was read as (${rows.length})`), table(["Your words", "Read as", "Which is"], rows)) : null;
}

function counted(answer) {
  const { age_years: age, sex, symptoms_analyzed: there } = answer;
  const told = [
    there.length ? `Counted as there: ${there.join(", ")}.` : null,
    age === null && sex === null ? null : `Counted for: ${[age === null ? null : `${age} years`, sex].filter(Boolean).join(", ")}.`,
  ].filter(Boolean);
  return told.length ? el("p", {}, told.join(" ")) : null;
}

export function understood(answer, description) {
  const passages = [
    ...answer.understood.map((one) => ({ ...one, kind: kindOf(one) })),
    ...answer.not_understood.map((one) => ({ ...one, kind: "unknown" })),
  ];
  const unknown = answer.symptoms_unrecognized.map(({ given, suggestions }) =>
    suggestions.length ? `${given} (did you mean ${suggestions.join(", ")}?)` : given);
  const occurring = Object.keys(KINDS).reverse().filter((kind) => passages.some((one) => one.kind === kind));
  return section("What was understood", ...[
    description ? el("p", { class: "told", tabindex: 0, role: "group", "aria-label": "Your words" }, ownText(description, passages)) : null,
    occurring.length ? el("ul", { class: "legend", "aria-label": "What the marks mean" },
      occurring.map((kind) => el("li", {}, known({ kind })))) : null,
    counted(answer),
    ...(unknown.length ? [el("p", {}, "Not understood of the symptoms:"), list(unknown)] : []),
    readAs(answer, passages),
  ].filter(Boolean));
}
