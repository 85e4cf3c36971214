// The page that puts two states of a prompt together. What this browser keeps of
// the text goes when the server has what became of it, and not before.
import { keeping } from "./keep.js";
import { say } from "./small.js";

const form = document.getElementById("merge");

for (const text of form.querySelectorAll("[data-choice]")) {
	text.addEventListener("input", () => (document.getElementById(text.dataset.choice).checked = true));
}

form.addEventListener("submit", async (event) => {
	event.preventDefault();
	const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "text/html" } }).catch(() => null);
	if (!answer || answer.status >= 500) return say("Not saved: the server does not answer. Nothing is lost: try again in a moment.");
	if (!answer.redirected) return form.submit(); // its answer is a page that says why
	keeping(form.dataset.owner, form.dataset.prompt).drop();
	location.href = answer.url;
});
