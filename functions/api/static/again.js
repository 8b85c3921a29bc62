// Sends an event of the audit again that is no stop and no start: it is shown as it was, and only then sent.
import { content, dialog, openDialog } from "./dialog.js";
import { toast } from "./toast.js";

function put(selector, text) {
  content.querySelector(selector).textContent = text;
}

async function send(entry) {
  try {
    const answer = await fetch("/audit/again", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ entry }),
    });
    const said = await answer.json();
    dialog.close();
    toast(answer.ok ? said.message : `${said.detail}. ${said.next_action}`, 10);
  } catch (error) {
    toast(`The server did not answer (${error.message}); it may have been sent all the same.`, 10);
  }
}

export function allowSendingAgain() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".resend-event");
    if (!button) return;
    if (button.getAttribute("aria-disabled")) return toast(button.title, 8);
    const { entry, type, subject, data, correlation } = button.dataset;
    openDialog(`<form method="dialog" class="confirm"><h2 id="dialog-title">Send this event again?</h2>
      <p class="soft">Under a new id and in your name, with the same correlation id.</p>
      <dl class="facts"><div><dt>type</dt><dd class="type"></dd></div><div><dt>subject</dt><dd class="subject"></dd></div>
      <div><dt>correlationid</dt><dd class="correlation"></dd></div></dl><pre><code class="data"></code></pre>
      <menu><button type="button" class="act" data-close>Cancel</button><button type="submit" class="act primary">Send</button></menu></form>`);
    put(".type", type);
    put(".subject", subject);
    put(".correlation", correlation);
    put(".data", data);
    content.querySelector("form").addEventListener("submit", (submitted) => { submitted.preventDefault(); send(entry); });
    content.querySelector("[type=submit]").focus();
  });
}
