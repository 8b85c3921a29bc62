// Capacity and audit: brought up to date a moment after something has changed.
import { allowSendingAgain } from "./again.js";
import { allowActing } from "./confirm.js";
import { allowCopying } from "./copy.js";
import { allowKeys } from "./keys.js";
import { showSigns } from "./signs.js";
import { follow } from "./stream.js";
import { reloadSoon } from "./swap.js";
import { keepTimes } from "./times.js";

const SOON_MS = 1500;

keepTimes();
allowCopying();
allowActing();
allowSendingAgain();
allowKeys();
showSigns();
for (const name of ["totals", "deleted", "reset", "missed"]) document.addEventListener(name, () => reloadSoon(SOON_MS));
follow();
