// Filters act as they are set; the view stays in the URL, so that it can be shared.
import { reload } from "./swap.js";

const TYPING_MS = 250;
let waiting;

function addressOf(form) {
  const given = new URLSearchParams([...new FormData(form)].filter(([name, value]) => value && !(name === "sort" && value === "name")));
  return given.size ? `/?${given}` : "/";
}

function apply(form, { typed }) {
  const address = addressOf(form);
  history[typed ? "replaceState" : "pushState"](null, "", address);
  reload(address);
}

// What was set before this script was loaded counts too, also after the user went back to this page.
function applyEarly() {
  if (document.getElementById("view").dataset.url !== location.pathname + location.search) reload(location.href);
  const form = document.querySelector("form.filters");
  const changed = (one) => one.type === "checkbox" ? one.checked !== one.defaultChecked
    : one.options ? [...one.options].some((option) => option.defaultSelected && !option.selected) || (one.selectedIndex > 0 && ![...one.options].some((option) => option.defaultSelected))
    : one.type === "search" && one.value !== one.defaultValue;
  if ([...form.elements].some(changed)) apply(form, { typed: false });
}

const applied = () => document.getElementById("view").classList.add("applied"); // the form's own button is not needed

export function followFilters() {
  applied();
  document.addEventListener("swapped", applied);
  applyEarly();
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form.filters");
    if (!form || event.target.type !== "search") return;
    clearTimeout(waiting);
    waiting = setTimeout(() => apply(form, { typed: true }), TYPING_MS);
  });
  document.addEventListener("change", (event) => {
    const form = event.target.closest("form.filters");
    if (form && event.target.type !== "search") apply(form, { typed: false });
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.filters")) return;
    event.preventDefault();
    apply(event.target, { typed: false });
  });
  window.addEventListener("popstate", () => reload(location.href));
}
