// The connection's state in the corner, and trouble in the tab: its title and its icon.
const WORDS = {
  live: ["live", "link live", "Changes arrive as they happen"],
  lost: ["connection lost, trying again", "link lost", "What is shown may be old; it recovers by itself"],
  "too-many": ["too many open pages", "link lost", "Close another page that follows the models; this one then goes on by itself"],
  "signed-out": ["signed out", "link lost", "Your token has ended; reload to sign in again"],
};
const view = () => document.getElementById("view");
const bare = document.title.replace(/^\([^)]*\) /, "");
let sign = view().dataset.sign;
let link = "live";

function show() {
  const shown = link === "live" ? sign : "offline";
  document.title = shown ? `(${shown}) ${bare}` : bare;
  const icon = link !== "live" ? "icon-lost" : sign ? "icon-trouble" : "icon";
  document.getElementById("favicon").href = `/static/${icon}.svg`;
}

function tells(news) {
  sign = news;
  show();
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
  document.addEventListener("swapped", () => tells(view().dataset.sign));
  document.addEventListener("totals", ({ detail }) => {
    const oneModel = view().dataset.key; // its page tells of itself alone
    if (!oneModel) tells(detail.error || "");
  });
}
