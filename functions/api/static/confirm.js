// The confirmation: the server says what will happen, the user chooses how, and only then something is sent.
import { content, dialog, openDialog } from "./dialog.js";
import { send } from "./send.js";
import { toast } from "./toast.js";

export async function confirmFor(verb, models, { done = () => {}, first = {}, correlation = "" } = {}) {
  openDialog('<p class="soft" id="dialog-title">Looking at what will happen…</p>');
  let answer;
  try {
    answer = await fetch("/plan", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ verb, models }),
    });
  } catch {
    dialog.close();
    return toast("The server does not answer. Nothing was done; try again in a moment.", 8);
  }
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({ detail: "The server could not say what will happen", next_action: "" }));
    dialog.close();
    return toast(`${problem.detail}. ${problem.next_action}`, 10);
  }
  openDialog(await answer.text());
  prepare(content.querySelector("form"), { verb, done, first, correlation });
}

function prepare(form, { verb, done, first, correlation }) {
  const { phrase, many } = form.dataset;
  const typed = form.querySelector(".typed");
  asAtFirst(form, first);
  form.querySelector(".phrase").textContent = phrase;
  const check = () => {
    const needed = many === "yes" || form.elements.how?.value === "forced";
    typed.hidden = !needed;
    const submit = form.querySelector("[type=submit]");
    submit.disabled = !phrase || (needed && form.elements.typed.value.trim() !== phrase);
    submit.title = submit.disabled && phrase ? `Type ${phrase} above first.` : "";
  };
  form.addEventListener("input", check);
  form.addEventListener("change", check);
  check();
  form.querySelector(phrase ? "[name=reason]" : "[data-close]").focus();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const models = [...form.querySelectorAll(".hidden-data li")].map((one) => ({ ...one.dataset }));
    send({ verb, models, command: { ...kept(first), ...commandOf(form, verb) }, correlation });
    done();
  });
}

// What is sent again is filled in as it was asked first; what no field of the form shows is said, and sent along.
function asAtFirst(form, first) {
  form.elements.reason.value = first.reason ?? "";
  if (first.graceful === false && form.elements.how) form.elements.how.value = "forced";
  if (first.timeout && form.elements.timeout) form.elements.timeout.append(new Option(`for at most ${first.timeout}, as asked first`, first.timeout, true, true));
  if (first.promote_canary && form.elements.promote_canary) form.elements.promote_canary.checked = true;
  for (const [name, value] of Object.entries(kept(first))) {
    const said = document.createElement("p");
    said.className = "soft";
    said.textContent = `As asked first: ${name} ${JSON.stringify(value)}.`;
    form.querySelector("menu").before(said);
  }
}

const kept = (first) => Object.fromEntries(Object.entries(first).filter(([name]) => name === "restore_autoscaling"));

function commandOf(form, verb) {
  const command = {};
  if (form.elements.reason.value.trim()) command.reason = form.elements.reason.value.trim();
  if (verb === "stop" && form.elements.how.value === "forced") command.graceful = false;
  else if (verb === "stop" && form.elements.timeout.value) command.timeout = form.elements.timeout.value;
  if (form.elements.promote_canary?.checked) command.promote_canary = true;
  return command;
}

export function allowActing() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) return dialog.close();
    const button = event.target.closest(".model button.act, button.resend");
    if (!button) return;
    if (button.getAttribute("aria-disabled")) return toast(button.title, 8);
    const { namespace, kind, name } = (button.closest(".model") ?? button).dataset;
    const { verb, correlation, command } = button.dataset;
    confirmFor(verb, [{ namespace, kind, name }], { first: command ? JSON.parse(command) : {}, correlation });
  });
}
