// Sends a confirmed stop or start in small parts, shows what becomes of each model, and offers what failed once more.
import { openDialog } from "./dialog.js";

const AT_ONCE = 10;
const ENDS = { stop: "stopped", start: "running" };
const SIGNS = { waiting: "·", sent: "…", done: "✓", failed: "✗" };
const keyOf = (model) => `${model.namespace}/${model.kind}/${model.name}`;
const identity = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;

let current;

export async function send(asked) {
  current = { ...asked, items: new Map(asked.models.map((model) => [keyOf(model), { model, sign: "waiting", text: "waits" }])) };
  openDialog(frame(current));
  show(current);
  await transmit(current, asked.models);
}

async function transmit(job, models) {
  const key = identity(); // a new one for each try: the old key would get the old answer
  for (let start = 0; start < models.length; start += AT_ONCE) {
    const part = models.slice(start, start + AT_ONCE);
    for (const model of part) put(job, model, "sent", "asked");
    await Promise.all(groups(part).map((group, index) => post(job, group, `${key}-${start}-${index}`)));
    show(job);
  }
  finish(job);
}

// A start of what is still stopping has to wait for the last pod; the others must not carry that word.
const groups = (part) => [part.filter((one) => one.queue !== "yes"), part.filter((one) => one.queue === "yes")].filter((one) => one.length);

async function post(job, models, key) {
  const body = { ...job.command, models: models.map(({ namespace, kind, name }) => ({ namespace, kind, name })) };
  if (models[0].queue === "yes" && job.verb === "start") body.queue = true;
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  if (job.correlation) headers["X-Correlation-ID"] = job.correlation;
  try {
    const answer = await fetch(`/api/v1/models:${job.verb}`, { method: "POST", headers, body: JSON.stringify(body) });
    const content = await answer.json();
    if (!answer.ok) return models.forEach((model) => put(job, model, "failed", `${content.detail}. ${content.next_action}`));
    for (const item of content.items) {
      if (item.status < 300) put(job, item, item.changed ? "sent" : "done", item.changed ? "accepted" : item.message ?? "it was so already");
      else put(job, item, "failed", `${item.message}. ${item.next_action}`);
    }
  } catch (error) {
    for (const model of models) put(job, model, "failed", `The server did not answer (${error.message}); it may have been done all the same. Trying again does no harm.`);
  }
}

function put(job, model, sign, text) {
  const item = job.items.get(keyOf(model));
  if (item && !(item.ended && sign !== "failed")) Object.assign(item, { sign: item.ended ? "done" : sign, text });
}

function finish(job) {
  job.finished = true;
  show(job);
}

function frame({ verb }) {
  return `<div class="progress"><h2 id="dialog-title" tabindex="-1"></h2><progress max="1" value="0"></progress>
    <p id="summary" role="status"></p><ul class="plain" id="items"></ul>
    <menu><button type="button" class="act" id="retry" hidden>Try again what failed</button>
    <button type="button" class="act primary" data-close>${verb === "stop" ? "Close; stopping goes on" : "Close; starting goes on"}</button></menu></div>`;
}

function show(job) {
  const list = document.getElementById("items");
  if (!list || job !== current) return;
  const items = [...job.items.values()];
  const failed = items.filter((one) => one.sign === "failed");
  const done = items.filter((one) => one.sign === "done");
  const [word, one] = job.verb === "stop" ? ["Stopping", "stopped"] : ["Starting", "running"];
  document.getElementById("dialog-title").textContent = items.length === 1 ? `${word} ${items[0].model.name}` : `${word} ${items.length} models`;
  const bar = document.querySelector(".progress progress");
  bar.value = (done.length + failed.length) / items.length;
  bar.setAttribute("aria-label", `${done.length} of ${items.length} ${one}`);
  document.getElementById("summary").textContent = summary(items, done, failed, one);
  list.replaceChildren(...items.sort((a, b) => (b.sign === "failed") - (a.sign === "failed")).slice(0, 200).map(line));
  document.getElementById("retry").hidden = !(job.finished && failed.length);
  if (done.length + failed.length === items.length) document.querySelector(".progress [data-close]").textContent = "Close";
}

function summary(items, done, failed, one) {
  const under = items.length - done.length - failed.length;
  return [`${done.length} of ${items.length} ${one}`, under && `${under} in progress`, failed.length && `${failed.length} failed`].filter(Boolean).join(", ") + ".";
}

function line({ model, sign, text }) {
  const place = document.createElement("li");
  place.className = `item item-${sign}`;
  const name = document.createElement("b");
  name.textContent = model.name;
  const said = document.createElement("span");
  said.textContent = ` ${model.namespace} — ${text}`;
  place.append(`${SIGNS[sign]} `, name, said);
  return place;
}

document.addEventListener("model-changed", ({ detail }) => {
  const item = current?.items.get(detail.key);
  if (!item || item.sign === "failed") return;
  if (detail.state === ENDS[current.verb]) Object.assign(item, { sign: "done", text: detail.state, ended: true });
  else if (detail.state === "error") Object.assign(item, { sign: "failed", text: `${detail.reason}: ${detail.change?.message ?? ""}` });
  else item.text = detail.state;
  show(current);
});

document.addEventListener("click", (event) => {
  if (event.target.id !== "retry" || !current) return;
  const failed = [...current.items.values()].filter((one) => one.sign === "failed").map((one) => one.model);
  current.finished = false;
  transmit(current, failed);
});
