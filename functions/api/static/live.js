// Keeps the table current by server-sent events, and sends stop and start. What is shown always comes from the server.
"use strict";

const body = document.getElementById("models");
const table = body.closest("table");
const link = document.getElementById("link");
const notice = document.getElementById("notice");
const template = body.querySelector("tr")?.cloneNode(true);
const units = [["day", 86400], ["hour", 3600], ["minute", 60]];

const keyOf = (model) => `${model.namespace}/${model.kind}/${model.name}`;
const rowOf = (model) => body.querySelector(`tr[data-key="${CSS.escape(keyOf(model))}"]`);

function age(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (Number.isNaN(seconds)) return "unknown";
  for (const [name, length] of units) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${name}${count > 1 ? "s" : ""}`;
  }
  return "just now";
}

function why(model) {
  if (model.state === "stopped" && model.holds.length) {
    return model.holds.map(held).join("; ");
  }
  return model.message ?? "";
}

function held(hold) {
  const place = hold.kind === "external" ? " outside modelswitch" : "";
  return `Stopped${place} by ${hold.actor.replace(/^external:/, "")}${hold.reason ? `: ${hold.reason}` : ""}`;
}

function say(text) {
  notice.textContent = text;
  notice.hidden = !text;
}

function put(row, selector, text) {
  row.querySelector(selector).textContent = text;
}

function show(model) {
  let row = rowOf(model);
  if (!row) {
    if (!template) return location.reload();
    row = template.cloneNode(true);
    const after = [...body.rows].find((one) => one.dataset.key > keyOf(model));
    body.insertBefore(row, after ?? null);
  }
  const { gpus, memory } = model.resource_allocation;
  Object.assign(row.dataset, {
    key: keyOf(model), namespace: model.namespace, name: model.name, kind: model.kind, state: model.state, gpus,
  });
  row.querySelector(".state").className = `state state-${model.state}`;
  put(row, ".word", model.state);
  put(row, ".name", model.name);
  put(row, ".namespace", model.namespace);
  put(row, ".kind", model.kind);
  put(row, ".gpus", gpus);
  put(row, ".memory", memory);
  row.querySelector(".since").dateTime = model.last_transition ?? "";
  put(row, ".since", age(model.last_transition));
  put(row, ".why", why(model));
  put(row, ".endpoint", model.endpoints.inference ?? "");
  setVerb(row.querySelector(".act"), model.desired === "stopped" ? "start" : "stop");
  count();
}

function setVerb(button, verb) {
  button.dataset.verb = verb;
  button.textContent = verb === "stop" ? "Stop" : "Start";
  button.disabled = false;
  delete button.dataset.sure;
}

function count() {
  const rows = [...body.rows];
  const total = document.getElementById("total");
  total.textContent = rows.length;
  for (const cell of document.querySelectorAll("[id^=count-]")) {
    const state = cell.id.slice("count-".length);
    cell.textContent = rows.filter((row) => row.dataset.state === state).length;
  }
  document.getElementById("gpus").textContent = rows.reduce((sum, row) => sum + Number(row.dataset.gpus), 0);
  document.getElementById("empty").hidden = rows.length > 0;
  table.hidden = rows.length === 0;
}

async function act(button) {
  const row = button.closest("tr");
  const { namespace, name, kind } = row.dataset;
  const { verb } = button.dataset;
  if (verb === "stop" && !("sure" in button.dataset)) {
    button.dataset.sure = "";
    button.textContent = "Sure?";
    setTimeout(() => "sure" in button.dataset && setVerb(button, "stop"), 4000);
    return;
  }
  button.disabled = true;
  say("");
  try {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/models/${encodeURIComponent(name)}/${verb}`;
    const answer = await fetch(`${path}?kind=${encodeURIComponent(kind)}`, {
      method: "POST", headers: { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID?.() ?? String(Math.random()) }, body: "{}",
    });
    const content = await answer.json();
    if (answer.ok) return show(content.status);
    say(`${content.detail}. ${content.next_action}`);
  } catch (error) {
    say(`The server does not answer (${error.message}). Ask again in a moment.`);
  }
  setVerb(button, verb);
}

function follow() {
  const stream = new EventSource("/api/v1/events");
  stream.onopen = () => { link.textContent = "live"; link.className = "link live"; };
  stream.onerror = () => {
    link.textContent = "connecting";
    link.className = "link";
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
  stream.addEventListener("model", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("deleted", (event) => { rowOf(JSON.parse(event.data))?.remove(); count(); });
  stream.addEventListener("reset", () => location.reload());
}

body.addEventListener("click", (event) => {
  const button = event.target.closest("button.act");
  if (button) act(button);
});
setInterval(() => {
  for (const cell of body.querySelectorAll(".since")) cell.textContent = age(cell.dateTime);
}, 30000);
follow();
