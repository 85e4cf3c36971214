// A line that is open stays open when new ones come: whether it is open is the
// reader's to say, and not the server's.
const defaults = window.Idiomorph?.defaults;
if (defaults) {
	defaults.callbacks = {
		...defaults.callbacks,
		beforeAttributeUpdated: (name, node) => !(name === "open" && node.tagName === "DETAILS"),
	};
}
