// Which models are selected, kept by name through every change of the page; and the buttons for all of them.
import { confirmFor } from "./confirm.js";
import { toast } from "./toast.js";

const chosen = new Map(); // key -> {namespace, kind, name}
const named = (row) => ({ namespace: row.dataset.namespace, kind: row.dataset.kind, name: row.dataset.name });
const rows = () => [...document.querySelectorAll("tr.model")];

export function toggle(row, wanted = !chosen.has(row.dataset.key)) {
  if (wanted) chosen.set(row.dataset.key, named(row));
  else chosen.delete(row.dataset.key);
  show();
}

// Why nothing of it can be done, "" where something can; of what is on other pages the confirmation tells.
function whyNot(verb) {
  const here = rows().filter((row) => chosen.has(row.dataset.key));
  if (chosen.size > here.length || here.some((row) => row.querySelector(`.act-${verb}:not([aria-disabled])`))) return "";
  const reasons = new Set(here.map((row) => row.querySelector("button.act[aria-disabled]")?.title ?? ""));
  const [first] = reasons;
  if (reasons.size === 1 && first) return first;
  return `None of the selected models can be ${verb === "stop" ? "stopped" : "started"} now.`;
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
  for (const verb of ["stop", "start"]) setButton(verb, whyNot(verb));
  const head = document.getElementById("pick-all");
  if (!head) return;
  const count = rows().filter((row) => chosen.has(row.dataset.key)).length;
  head.checked = count > 0 && count === rows().length;
  head.indeterminate = count > 0 && count < rows().length;
}

function setButton(verb, why) {
  const button = document.getElementById(`${verb}-many`);
  button.title = why;
  if (!why) {
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
    if (!button) return;
    if (button.getAttribute("aria-disabled")) return toast(button.title, 8);
    if (button.id === "pick-none") { chosen.clear(); show(); return; }
    confirmFor(button.id.replace("-many", ""), [...chosen.values()], { done: () => { chosen.clear(); show(); } });
  });
  document.addEventListener("swapped", show);
  document.addEventListener("row-replaced", show);
}
