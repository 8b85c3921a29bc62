// What to try at first stays closed once the user has closed it.
const KEPT = "modelswitch-tries";

export function rememberTries() {
  const place = document.getElementById("tries");
  if (!place) return;
  try {
    if (localStorage.getItem(KEPT) === "closed") place.open = false;
    place.addEventListener("toggle", () => localStorage.setItem(KEPT, place.open ? "open" : "closed"));
  } catch { /* storage may be forbidden; then it is open again next time */ }
}
