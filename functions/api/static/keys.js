// Everything from the keyboard. Keys do nothing while the user types, or while a dialog is open.
import { openDialog } from "./dialog.js";
import { toggle } from "./select.js";

const rows = () => [...document.querySelectorAll("tr.model")];
let key = "";

const at = () => document.activeElement?.closest?.("tr.model") ?? rows().find((row) => row.dataset.key === key);

function move(step) {
  const all = rows();
  const index = all.indexOf(at());
  const next = all[index === -1 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, index + step))];
  if (!next) return;
  key = next.dataset.key;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const DOES = {
  j: () => move(1),
  k: () => move(-1),
  x: () => { const row = at(); if (row) toggle(row); },
  s: () => at()?.querySelector("button.act")?.click(),
  "/": () => { const place = document.getElementById("q"); place?.focus(); place?.select(); },
  "?": help,
};

function help() {
  openDialog(`${document.getElementById("keys-help").innerHTML}<menu><button type="button" class="act" data-close>Close</button></menu>`);
  document.querySelector("#dialog h2").id = "dialog-title";
}

export function allowKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.getElementById("dialog").open) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (event.key === "Enter" && event.target.matches("tr.model")) event.target.querySelector("a.name").click();
    const does = DOES[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });
}
