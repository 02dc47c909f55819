// A combobox that collects several entries: type, pick with arrows and Enter, take away by pressing a chip.

import { el } from "./dom.js";

const SHOWN = 8;

function rank(symptoms, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return [];
  const scored = symptoms.map((symptom) => {
    const names = [symptom.name, ...symptom.synonyms].map((name) => name.toLowerCase());
    const starts = names.some((name) => name.startsWith(wanted));
    const holds = names.some((name) => name.includes(wanted));
    return { symptom, score: starts ? 2 : Number(holds) };
  });
  return scored.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score).slice(0, SHOWN).map((s) => s.symptom);
}

export function symptomPicker(symptoms, onChange) {
  let chosen = [];
  let found = [];
  let active = -1;
  const input = el("input", {
    id: "symptom", type: "text", role: "combobox", autocomplete: "off",
    "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": "symptom-options", "aria-describedby": "symptom-hint",
  });
  const options = el("ul", { id: "symptom-options", class: "options", role: "listbox", "aria-label": "Matching symptoms", hidden: true });
  const chips = el("ul", { class: "chips", "aria-label": "Chosen symptoms" });

  function drawOptions() {
    options.replaceChildren(...found.map((symptom, index) =>
      el("li", {
        id: `symptom-option-${index}`, role: "option", "aria-selected": String(index === active),
        onmousedown: (event) => { event.preventDefault(); add(symptom.name); },
      }, symptom.name)));
    options.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    if (active >= 0) input.setAttribute("aria-activedescendant", `symptom-option-${active}`);
    else input.removeAttribute("aria-activedescendant");
  }

  function drawChips() {
    chips.replaceChildren(...chosen.map((name) =>
      el("li", {}, el("button", { type: "button", "aria-label": `Remove ${name}`, onclick: () => remove(name) }, `${name} ×`))));
    onChange(chosen);
  }

  function add(name) {
    const text = name.trim();
    if (text && !chosen.includes(text)) chosen = [...chosen, text];
    input.value = "";
    search();
    drawChips();
    input.focus();
  }

  function remove(name) {
    chosen = chosen.filter((one) => one !== name);
    drawChips();
    input.focus();
  }

  function search() {
    found = rank(symptoms, input.value).filter((symptom) => !chosen.includes(symptom.name));
    active = -1;
    drawOptions();
  }

  function onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) {
      event.preventDefault();
      active = (active + step + found.length) % found.length;
      drawOptions();
    } else if (event.key === "Enter" && input.value.trim()) {
      event.preventDefault();
      // Without a picked entry the words go as typed: the service matches synonyms and spelling slips.
      add(active >= 0 ? found[active].name : input.value);
    } else if (event.key === "Escape") {
      found = [];
      drawOptions();
    }
  }

  input.addEventListener("input", search);
  input.addEventListener("keydown", onKey);
  input.addEventListener("blur", () => { found = []; drawOptions(); });
  const element = el("div", { class: "field" },
    el("label", { for: "symptom" }, "Symptoms"),
    el("div", { class: "combo" }, input, options),
    el("p", { id: "symptom-hint", class: "hint" }, `Type and pick from ${symptoms.length}, or press Enter to add your own words.`),
    chips);
  // Words that were typed and not yet added are meant too.
  return { element, chosen: () => chosen, finish: () => { if (input.value.trim()) add(input.value); } };
}
