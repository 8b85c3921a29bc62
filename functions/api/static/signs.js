// The connection's state in the corner, and trouble in the tab: its title and its icon.
const WORDS = {
  live: ["live", "link live", "Changes arrive as they happen"],
  lost: ["connection lost, trying again", "link lost", "What is shown may be old; it mends itself"],
  "signed-out": ["signed out", "link lost", "Your token has ended; reload to sign in again"],
};
const bare = document.title.replace(/^\([^)]*\) /, "");
let errors = Number(/^\((\d+)\)/.exec(document.title)?.[1] ?? (document.title.startsWith("(!)") ? 1 : 0));
let link = "live";

function show() {
  const sign = link === "live" ? (errors ? `(${errors}) ` : "") : "(offline) ";
  document.title = sign + bare;
  const icon = link !== "live" ? "icon-lost" : errors ? "icon-trouble" : "icon";
  document.getElementById("favicon").href = `/static/${icon}.svg`;
}

export function showSigns() {
  show();
  document.addEventListener("link", ({ detail }) => {
    link = detail;
    const place = document.getElementById("link");
    [place.textContent, place.className, place.title] = WORDS[detail];
    document.body.classList.toggle("stale", detail !== "live");
    show();
  });
  document.addEventListener("totals", ({ detail }) => { errors = detail.error; show(); });
}
