// The models page.
import { allowActing } from "./confirm.js";
import { allowCopying } from "./copy.js";
import { followFilters } from "./filters.js";
import { allowKeys } from "./keys.js";
import { followRows } from "./rows.js";
import { allowSelecting } from "./select.js";
import { showSigns } from "./signs.js";
import { follow } from "./stream.js";
import { keepTimes } from "./times.js";
import { rememberTries } from "./tries.js";
import { followWords } from "./words.js";

keepTimes();
rememberTries();
allowCopying();
allowActing();
allowSelecting();
allowKeys();
followFilters();
followRows();
followWords();
showSigns();
follow();
