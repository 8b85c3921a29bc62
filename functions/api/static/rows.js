// The table's rows as changes arrive. A row comes whole from the server; if one is filtered away or new, the view is fetched again.
import { reloadSoon } from "./swap.js";
import { tellTimes } from "./times.js";

const SMALL_MS = 400;
const LARGE_MS = 8000; // with many pages or filters, so that many open dashboards do not ask all at once

const view = () => document.getElementById("view");
export const rowOf = (key) => document.querySelector(`tr.model[data-key="${CSS.escape(key)}"]`);

export function rowFrom(html) {
  const shell = document.createElement("template");
  shell.innerHTML = html.trim();
  return shell.content.querySelector("tr.model");
}

function reload() {
  const large = view().dataset.pages !== "1" || view().dataset.filtered;
  reloadSoon(large ? LARGE_MS * (0.75 + Math.random() / 2) : SMALL_MS);
}

function changed({ key, html }) {
  const old = rowOf(key);
  if (!old) return reload();
  const focused = document.activeElement;
  const selector = old === focused ? "" : old.contains(focused) ? `.${focused.className.split(" ")[0]}` : null;
  const row = rowFrom(html);
  const word = old.querySelector(".kserve-word");
  row.classList.toggle("fresh", old.dataset.state !== row.dataset.state);
  old.replaceWith(row);
  if (word && old.dataset.state === row.dataset.state) row.querySelector(".kserve-word").replaceWith(word);
  tellTimes(row);
  document.dispatchEvent(new CustomEvent("row-replaced", { detail: row }));
  if (selector !== null) (selector ? row.querySelector(selector) : row)?.focus({ preventScroll: true });
}

function counted(totals) {
  document.getElementById("sum-gpus").textContent = totals.gpus;
  document.getElementById("sum-freed").textContent = totals.freed;
  if (view().dataset.filtered) return reload();
  for (const place of view().querySelectorAll("[id^=count-]")) place.textContent = totals[place.id.slice("count-".length)];
}

export function followRows() {
  document.addEventListener("model-changed", ({ detail }) => changed(detail));
  document.addEventListener("deleted", ({ detail }) => { if (rowOf(detail.key)) reloadSoon(SMALL_MS); });
  document.addEventListener("totals", ({ detail }) => counted(detail));
  document.addEventListener("reset", () => reloadSoon(SMALL_MS));
  document.addEventListener("missed", () => reloadSoon(SMALL_MS));
}
