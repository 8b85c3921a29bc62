// Buttons that copy what they carry, and say that they did.
import { toast } from "./toast.js";

export function allowCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      toast("Copied.");
    } catch {
      toast("This browser does not let pages copy here; select the text instead.");
    }
  });
}
