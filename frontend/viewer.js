// Looks at uploads of an account: any frame, through any window. Tokens are in HttpOnly cookies; nothing is remembered here.

import { errorBox } from "./answers.js";
import { el, fetchJson } from "./dom.js";

const api = "/api/v1";
const WINDOWS = { "": "as the file says", lung: "lung", bone: "bone", brain: "brain", soft: "soft tissue" };
const byId = (id) => document.getElementById(id);
let csrf = "";
let asked = 0; // pictures that were asked for; an earlier one that comes late is not shown
let address = ""; // of the picture that is shown

const show = (...content) => byId("result").replaceChildren(...content);
const form = (...content) => byId("form").replaceChildren(...content);

function field(label, control) {
  return el("div", { class: "field" }, el("label", { for: control.id }, label), control);
}

// Runs what a form asks for, once at a time, and shows what went wrong.
function onSubmit(work) {
  return async (event) => {
    event.preventDefault();
    const button = event.submitter ?? event.target.querySelector("button");
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      show(errorBox(error));
    }
    button.disabled = false;
  };
}

function logInForm() {
  const username = el("input", { id: "username", autocomplete: "username", required: true });
  const password = el("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  const logIn = async () => {
    const body = JSON.stringify({ username: username.value, password: password.value, cookies: true });
    const told = await fetchJson(`${api}/auth/login`, { method: "POST", body, headers: { "Content-Type": "application/json" } });
    csrf = told.csrf_token;
    uploadForm();
  };
  form(el("form", { onsubmit: onSubmit(logIn) }, field("User name", username), field("Password", password),
    el("button", { class: "primary" }, "Log in")));
}

function uploadForm() {
  const file = el("input", { id: "file", type: "file", required: true });
  const upload = async () => {
    const body = new FormData();
    body.append("file", file.files[0]);
    const told = await fetchJson(`${api}/upload`, { method: "POST", body, headers: { "X-CSRF-TOKEN": csrf } });
    viewerForm(told);
  };
  form(el("form", { onsubmit: onSubmit(upload) },
    field("PNG, JPEG, WebP, TIFF, BMP, GIF or DICOM; it is kept in your account, without names", file),
    el("button", { class: "primary" }, "Open")), el("div", { id: "controls" }));
}

function viewerForm({ file_id: id, frames, format, warnings }) {
  const middle = Math.floor((frames + 1) / 2);
  const frame = el("input", { id: "frame", type: "range", min: 1, max: frames, value: middle });
  const place = el("output", { for: "frame" });
  const chosen = el("select", { id: "window" }, Object.entries(WINDOWS).map(([value, name]) => el("option", { value }, name)),
    el("option", { value: "own" }, "centre, width:"));
  const own = el("input", { id: "own", placeholder: "40,400", "aria-label": "Centre and width of the window", hidden: true });
  const draw = () => {
    own.hidden = chosen.value !== "own";
    place.textContent = `${frame.value} of ${frames}`;
    const window = own.hidden ? chosen.value : own.value.trim();
    const query = new URLSearchParams(window ? { frame: frame.value, window } : { frame: frame.value });
    return picture(`${api}/render/${id}?${query}`, `Frame ${frame.value} of ${frames}`);
  };
  for (const control of [frame, chosen, own]) control.addEventListener("change", draw);
  frame.addEventListener("input", () => { place.textContent = `${frame.value} of ${frames}`; });
  byId("controls").replaceChildren(...[
    frames > 1 ? el("div", { class: "field" }, el("label", { for: "frame" }, "Frame ", place), frame) : null,
    format === "DICOM" ? field("Window", chosen) : null,
    own,
    ...warnings.map((text) => el("p", { class: "notice" }, text)),
  ].filter(Boolean));
  return draw();
}

async function picture(path, name) {
  const number = ++asked;
  const response = await fetch(path, { headers: { Accept: "image/png, application/json" } });
  const content = response.ok ? await response.blob() : await response.json();
  if (number !== asked) return;
  URL.revokeObjectURL(address);
  address = response.ok ? URL.createObjectURL(content) : "";
  if (response.ok) show(el("img", { src: address, alt: name, class: "viewed" }));
  else show(errorBox(Object.assign(new Error(content.error ?? "The request failed."), content)));
}

logInForm();
