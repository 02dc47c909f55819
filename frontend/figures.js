// Figures as text and as pictures: shares, tables, bars. What a colour says is always there as a word too.

import { el } from "./dom.js";

export const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}%`;

export const interval = (f) => (f ? `${percent(f.value)} (${percent(f.low)} to ${percent(f.high)})` : "not measured");

// A wide table scrolls by itself; the page does not.
export const table = (titles, rows) => el("div", { class: "scroll", tabindex: 0 }, el("table", {},
  el("thead", {}, el("tr", {}, titles.map((title) => el("th", { scope: "col" }, title)))),
  el("tbody", {}, rows)));

export function facts(pairs) {
  return el("dl", {}, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]).flat());
}

// gravity: of what the bar stands for. kept: whether it is to be marked. notes: what both mean, in words.
export function bars(entries) {
  return el("ol", { class: "bars" }, entries.map(({ label, value, gravity, kept, notes = [] }) =>
    el("li", { "data-gravity": gravity, class: kept ? "kept" : null },
      el("span", { class: "label" }, label, notes.length ? el("small", {}, notes.join(" · ")) : null),
      el("span", { class: "bar", "--value": value, "aria-hidden": "true" }),
      el("span", { class: "number" }, percent(value)))));
}

const marks = (places) => places.filter((place) => place !== null && place !== undefined).map((place) => el("i", { "--mark": place }));

// Where a probability stands between two thresholds; either may be missing.
export const gauge = (probability, thresholds) =>
  el("span", { class: "bar gauge", "--value": probability, "aria-hidden": "true" }, marks(thresholds));

// A part of the scale from 0 to 1, and a value in it, which may be missing.
export const span = (low, value, high) =>
  el("span", { class: "bar span", "--low": low, "--high": high, "aria-hidden": "true" }, marks([value]));
