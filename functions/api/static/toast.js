// A short word at the edge of the window; screen readers say it too.
let ends;

export function toast(text, seconds = 4) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.hidden = false;
  clearTimeout(ends);
  ends = setTimeout(() => { place.hidden = true; }, seconds * 1000);
}
