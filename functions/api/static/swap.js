// Brings the page's #view up to date by asking the server for the same URL, without losing place, focus or selection.
import { tellTimes } from "./times.js";

let waiting;
let asking;

export function reloadSoon(milliseconds) {
  if (waiting) return;
  waiting = setTimeout(() => { waiting = undefined; reload(location.href); }, milliseconds);
}

export async function reload(address) {
  asking?.abort(); // the latest wish counts: it may be a filter, and an older answer would undo it
  const mine = asking = new AbortController();
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: mine.signal });
    if (answer.status === 404) return location.reload(); // the model was deleted: its page says so
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("view");
    if (!next || mine !== asking) return;
    replace(document.getElementById("view"), next);
  } catch { /* the connection's own sign says so */ }
}

function replace(old, next) {
  const focused = document.activeElement;
  const inside = old.contains(focused);
  const selector = inside ? path(focused) : null;
  const typed = inside && focused.matches("input[type=search]") ? [focused.value, focused.selectionStart] : null;
  const open = [...old.querySelectorAll("details")].map((one) => one.open);
  old.replaceWith(document.adoptNode(next));
  next.querySelectorAll("details").forEach((one, index) => { if (index < open.length) one.open = open[index]; });
  tellTimes(next);
  document.dispatchEvent(new CustomEvent("swapped"));
  const again = selector && next.querySelector(selector);
  if (!again) return;
  again.focus({ preventScroll: true });
  if (typed) { [again.value] = typed; again.setSelectionRange(typed[1], typed[1]); }
}

function path(element) {
  const row = element.closest("tr.model");
  const own = element.id ? `#${CSS.escape(element.id)}` : element.className ? `${element.localName}.${element.className.split(" ")[0]}` : element.localName;
  if (!row) return own;
  const place = `tr[data-key="${CSS.escape(row.dataset.key)}"]`;
  return row === element ? place : `${place} ${own}`;
}
