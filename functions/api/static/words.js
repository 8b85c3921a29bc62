// KServe's own word beside ours where they differ: asked for after the first paint, and again when a row changes.
const LATER_MS = 1500;
const MOVING_MS = 2000;
const MOVING = 'tr.model:is([data-state="stopping"], [data-state="starting"])';
let waiting;

async function ask(rows) {
  const query = rows.map((row) => `model=${encodeURIComponent(row.dataset.key)}`).join("&");
  if (!query) return;
  try {
    const answer = await fetch(`/kserve-words?${query}`);
    if (!answer.ok) return;
    const words = await answer.json();
    for (const row of rows) {
      const place = row.querySelector(".kserve-word");
      if (!place) continue;
      place.textContent = words[row.dataset.key] ? `KServe says ${words[row.dataset.key]}` : "";
      place.hidden = !words[row.dataset.key];
    }
  } catch { /* asked again with the next change */ }
}

const all = () => ask([...document.querySelectorAll("tr.model")]);

export function followWords() {
  all();
  document.addEventListener("swapped", all);
  document.addEventListener("row-replaced", () => {
    clearTimeout(waiting);
    waiting = setTimeout(all, LATER_MS);
  });
  // On the way KServe changes its word without a change of ours, so nothing would tell.
  setInterval(() => { if (!document.hidden) ask([...document.querySelectorAll(MOVING)]); }, MOVING_MS);
}
