// Which models are selected, kept by name through every change of the page; and the buttons for all of them.
import { confirmFor } from "./confirm.js";

const chosen = new Map(); // key -> {namespace, kind, name}
const named = (row) => ({ namespace: row.dataset.namespace, kind: row.dataset.kind, name: row.dataset.name });
const rows = () => [...document.querySelectorAll("tr.model")];

export function toggle(row, wanted = !chosen.has(row.dataset.key)) {
  if (wanted) chosen.set(row.dataset.key, named(row));
  else chosen.delete(row.dataset.key);
  show();
}

function canDo(verb) {
  const here = rows().filter((row) => chosen.has(row.dataset.key));
  const able = here.filter((row) => row.querySelector(`.act-${verb}:not([aria-disabled])`));
  return able.length > 0 || chosen.size > here.length; // of what is on other pages the confirmation tells
}

function show() {
  for (const row of rows()) {
    const selected = chosen.has(row.dataset.key);
    row.querySelector(".pick").checked = selected;
    row.classList.toggle("picked", selected);
  }
  const bar = document.getElementById("toolbar");
  if (!bar) return;
  bar.hidden = chosen.size === 0;
  document.getElementById("picked").textContent = chosen.size ? `${chosen.size} selected` : "";
  for (const verb of ["stop", "start"]) setButton(verb, canDo(verb));
  const head = document.getElementById("pick-all");
  if (!head) return;
  const count = rows().filter((row) => chosen.has(row.dataset.key)).length;
  head.checked = count > 0 && count === rows().length;
  head.indeterminate = count > 0 && count < rows().length;
}

function setButton(verb, able) {
  const button = document.getElementById(`${verb}-many`);
  const why = `None of the selected models can be ${verb === "stop" ? "stopped" : "started"} now.`;
  button.title = able ? "" : why;
  if (able) {
    button.removeAttribute("aria-disabled");
    button.removeAttribute("aria-describedby");
  } else {
    button.setAttribute("aria-disabled", "true");
    button.setAttribute("aria-describedby", "many-why");
    document.getElementById("many-why").textContent = why;
  }
}

export function allowSelecting() {
  document.addEventListener("change", (event) => {
    if (event.target.matches(".pick")) toggle(event.target.closest("tr.model"), event.target.checked);
    if (event.target.id === "pick-all") for (const row of rows()) toggle(row, event.target.checked);
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("#stop-many, #start-many, #pick-none");
    if (!button || button.getAttribute("aria-disabled")) return;
    if (button.id === "pick-none") { chosen.clear(); show(); return; }
    confirmFor(button.id.replace("-many", ""), [...chosen.values()], { done: () => { chosen.clear(); show(); } });
  });
  document.addEventListener("swapped", show);
  document.addEventListener("row-replaced", show);
}
