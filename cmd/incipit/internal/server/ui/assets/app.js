// What every page has. A page works without it: links, forms and tables are
// HTML. It makes them quicker, live, and usable by keys.
import { follow } from "./live.js";
import { times } from "./times.js";
import { keys } from "./keys.js";
import { palette } from "./palette.js";
import { dialogs } from "./dialog.js";
import { copying, submitting } from "./small.js";

copying();
submitting();
times();
dialogs();
palette();
keys();
if (document.body.hasAttribute("data-follows")) follow();
