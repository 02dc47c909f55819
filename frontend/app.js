// The page: pick a task, fill its form, read the answer. Tasks, classes and fields all come from the service.

import { errorBox, imageAnswer, riskAnswer } from "./answers.js";
import { symptomAnswer } from "./assessment.js";
import { el, fetchJson, list } from "./dom.js";
import { imageForm, riskForm } from "./forms.js";
import { symptomForm } from "./symptoms.js";

const forms = { image: imageForm, symptoms: symptomForm, risk: riskForm };
const answers = { image: imageAnswer, symptoms: symptomAnswer, risk: riskAnswer };
const byId = (id) => document.getElementById(id);

function show(...content) {
  byId("result").replaceChildren(...content.flat().filter(Boolean));
}

let underWay = new AbortController();

// What was asked before is no longer wanted: its request ends, and its answer goes.
function clear(text = "Nothing has been sent yet.") {
  underWay.abort();
  underWay = new AbortController();
  show(el("p", { class: "empty" }, text));
  return underWay.signal;
}

// Gives the error, where there was one and it is still wanted.
async function send(task, request, source, query = {}) {
  const signal = clear("Working…");
  let content, failure = null;
  try {
    const path = `${task.endpoint}?${new URLSearchParams(query)}`;
    content = answers[task.kind](await fetchJson(path, { method: "POST", signal, ...request }), source, task);
  } catch (error) {
    failure = error;
    content = errorBox(error);
  }
  if (signal.aborted) return null;
  show(content);
  const place = byId("result").querySelector("[data-next]") ?? byId("answer");
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "nearest" });
  return failure;
}

async function choose(task) {
  const signal = clear();
  for (const button of byId("tasks").children) {
    button.setAttribute("aria-current", String(button.dataset.task === task.task));
  }
  byId("task-title").textContent = task.title;
  const state = byId("task-state");
  state.textContent = task.loaded ? `Model ${task.version} · evidence ${task.evidence}` : "No model: answers with an example";
  state.classList.toggle("demo", !task.loaded);
  byId("task-use").textContent = task.intended_use;
  byId("limits").hidden = false;
  byId("limits-list").replaceChildren(...list(task.limits_of_use).children);
  byId("form").replaceChildren();
  history.replaceState(null, "", `#${task.task}`);
  let form;
  try {
    form = await forms[task.kind](task, (request, source, query) => send(task, request, source, query), clear);
  } catch (error) {
    form = errorBox(error);
  }
  if (!signal.aborted) byId("form").replaceChildren(form);
}

async function start() {
  try {
    const [index, { models }] = await Promise.all([fetchJson("/"), fetchJson("/models")]);
    byId("disclaimer").textContent = index.disclaimer;
    byId("tasks").replaceChildren(...models.map((task) =>
      el("button", { type: "button", "data-task": task.task, onclick: () => choose(task) }, task.title)));
    const wanted = location.hash.slice(1);
    await choose(models.find((task) => task.task === wanted) ?? models.find((task) => task.loaded) ?? models[0]);
  } catch (error) {
    byId("task-title").textContent = "Not available";
    show(errorBox(error));
  }
}

start();
