// Moments in the user's own zone: ages kept current, exact times as text or on hover.
const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const EXACT = new Intl.DateTimeFormat(undefined, {
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short",
});

export function age(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  if (Number.isNaN(seconds)) return "unknown";
  for (const [name, length] of STEPS) {
    const count = Math.floor(seconds / length);
    if (count >= 1) return `${count} ${name}${count > 1 ? "s" : ""}`;
  }
  return "just now";
}

export function tellTimes(root = document) {
  for (const one of root.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(one.dateTime);
    if (Number.isNaN(moment)) continue;
    one.title = EXACT.format(moment);
    one.textContent = "age" in one.dataset ? age(one.dateTime) : EXACT.format(moment);
  }
}

export function keepTimes() {
  tellTimes();
  setInterval(tellTimes, 20000);
}
