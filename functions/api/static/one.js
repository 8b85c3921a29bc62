// A model's page: whatever happens to this model, the page is fetched again.
import { allowActing } from "./confirm.js";
import { allowCopying } from "./copy.js";
import { allowKeys } from "./keys.js";
import { showSigns } from "./signs.js";
import { follow } from "./stream.js";
import { reload, reloadSoon } from "./swap.js";
import { keepTimes } from "./times.js";

const SOON_MS = 150;

keepTimes();
allowCopying();
allowActing();
allowKeys();
showSigns();
for (const name of ["model-changed", "deleted"]) {
  document.addEventListener(name, ({ detail }) => {
    if (detail.key === document.getElementById("view").dataset.key) reloadSoon(SOON_MS);
  });
}
for (const name of ["reset", "missed"]) document.addEventListener(name, () => reload(location.href));
follow();
