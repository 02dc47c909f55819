// The page: pick a task, fill its form, read the answer. Tasks, classes and fields all come from the service.

import { diseaseAnswer, errorBox, imageAnswer, riskAnswer } from "./answers.js";
import { el, fetchJson, list } from "./dom.js";
import { imageForm, riskForm, symptomForm } from "./forms.js";

const forms = { image: imageForm, symptoms: symptomForm, risk: riskForm };
const answers = { image: imageAnswer, symptoms: diseaseAnswer, risk: riskAnswer };
const byId = (id) => document.getElementById(id);

function show(...content) {
  byId("result").replaceChildren(...content.flat().filter(Boolean));
}

async function send(task, request, source, query = {}) {
  show(el("p", { class: "empty" }, "Working…"));
  try {
    const answer = await fetchJson(`${task.endpoint}?${new URLSearchParams(query)}`, { method: "POST", ...request });
    show(answers[task.kind](answer, source, task));
  } catch (error) {
    show(errorBox(error));
  }
  byId("answer").focus({ preventScroll: true });
  byId("answer").scrollIntoView({ block: "nearest" });
}

async function choose(task) {
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
  show(el("p", { class: "empty" }, "Nothing has been sent yet."));
  history.replaceState(null, "", `#${task.task}`);
  try {
    byId("form").replaceChildren(await forms[task.kind](task, (request, source, query) => send(task, request, source, query)));
  } catch (error) {
    byId("form").replaceChildren(errorBox(error));
  }
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
