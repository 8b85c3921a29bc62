// The one connection to /live: what arrives becomes an event on the document, and a lost connection recovers by itself.
const RETRY_MS = 2000;
const FULL_MS = 30000; // as many streams as one person may have are open
const SILENT_MS = 40000; // the server says something at least every 15 s

let source;
let last = document.body.dataset.position; // so that nothing is missed between the page and its stream
let silence;

const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));

function heard() {
  clearTimeout(silence);
  silence = setTimeout(again, SILENT_MS);
}

function again() {
  source?.close();
  tell("link", "lost");
  setTimeout(follow, RETRY_MS);
}

async function refused() {
  // The browser gives up for good where the answer was no stream: find out why, then reconnect.
  source.close();
  const asking = new AbortController();
  let wait = RETRY_MS;
  try {
    const answer = await fetch(`/live?after=${last}`, { signal: asking.signal });
    if (answer.status === 401) return tell("link", "signed-out");
    if (answer.status === 429) {
      wait = FULL_MS;
      tell("link", "too-many");
    }
  } catch { /* away: try again below */ }
  asking.abort(); // it may have been a stream this time
  setTimeout(follow, wait);
}

export function follow() {
  source = new EventSource(`/live?after=${last}`);
  source.onopen = () => { heard(); tell("link", "live"); };
  source.onerror = () => {
    tell("link", "lost");
    if (source.readyState === EventSource.CLOSED) refused();
  };
  for (const name of ["row", "deleted", "totals", "reset"]) {
    source.addEventListener(name, (event) => {
      heard();
      last = event.lastEventId || last;
      tell(name === "row" ? "model-changed" : name, JSON.parse(event.data));
    });
  }
}

window.addEventListener("pagehide", () => source?.close());
window.addEventListener("pageshow", (event) => { if (event.persisted) { follow(); tell("missed"); } });
