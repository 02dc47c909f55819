// What troubles somebody: own words, chosen symptoms, age and sex. The page keeps the answers to questions asked back,
// and sends all of them each time; another text begins anew.

import { el, fetchJson } from "./dom.js";
import { jsonRequest, submitButton } from "./forms.js";
import { symptomPicker } from "./picker.js";

const MOST_CHARACTERS = 5000;
const CHANGED = "What you told has changed. Send it again for an answer.";

// As the service counts: a sign outside the basic plane is one character.
const length = (text) => [...text].length;

function ownWords(onInput) {
  const input = el("textarea", { id: "description", rows: 7, "aria-describedby": "description-hint description-length" });
  const said = el("p", { id: "description-length", class: "too-long", role: "status" });
  const tooLong = () => length(input.value) > MOST_CHARACTERS;
  input.addEventListener("input", () => {
    // A text is never cut without a word.
    said.textContent = tooLong()
      ? `${length(input.value)} characters; at most ${MOST_CHARACTERS} can be read. Please shorten it.` : "";
    input.setAttribute("aria-invalid", String(tooLong()));
    onInput();
  });
  const element = el("div", { class: "field" },
    el("label", { for: "description" }, "Tell in your own words what troubles you"),
    el("p", { id: "description-hint", class: "hint" },
      "As you would tell a doctor: what it is and where, since when, what makes it better or worse, and what is not there."),
    input, said);
  return { element, value: () => input.value, tooLong };
}

function person(onInput) {
  const age = el("input", { id: "age", type: "number", min: 0, max: 120, inputmode: "numeric", oninput: onInput });
  const sex = el("select", { id: "sex", onchange: onInput },
    el("option", { value: "" }, "not given"), el("option", { value: "female" }, "female"), el("option", { value: "male" }, "male"));
  const element = el("div", { class: "fields" },
    el("div", { class: "field" }, el("label", { for: "age" }, "Age in years (optional)"), age),
    el("div", { class: "field" }, el("label", { for: "sex" }, "Sex (optional)"), sex));
  return { element, given: () => ({ ...(age.value && { age: Number(age.value) }), ...(sex.value && { sex: sex.value }) }) };
}

export async function symptomForm(_task, send, clear) {
  const { symptoms } = await fetchJson("/symptoms");
  const button = submitButton("Get an answer", true);
  const replies = new Map(); // by finding: {question, reply}
  let sent = null; // the text of the last request
  let shown = false;

  function changed() {
    button.disabled = words.tooLong() || !(words.value().trim() || picker.chosen().length);
    if (shown) clear(CHANGED);
    shown = false;
  }

  const words = ownWords(changed);
  const picker = symptomPicker(symptoms, changed);
  const whose = person(changed);

  // level: how soon it was to be seen before a question was answered.
  function ask(level = null) {
    const description = words.value();
    if (description !== sent) replies.clear();
    sent = description;
    shown = true;
    const content = { symptoms: picker.chosen(), description, ...whose.given() };
    if (replies.size) content.answers = Object.fromEntries([...replies].map(([finding, { reply }]) => [finding, reply]));
    return send(jsonRequest(content), { description, replies: new Map(replies), level, reply, takeBack });
  }

  function reply({ finding, question }, given, level) {
    replies.set(finding, { question, reply: given });
    return ask(level);
  }

  function takeBack(finding, level) {
    replies.delete(finding);
    return ask(level);
  }

  const submit = (event) => {
    event.preventDefault();
    picker.finish();
    return ask();
  };
  return el("form", { onsubmit: submit }, words.element, picker.element, whose.element, button);
}
