// The frame around every page: navigation, theme, announcements, and which page is shown.

import { html, render, useEffect, useRef, useSignal, useState } from "./reactive.js";
import { place } from "./router.js";
import { announced } from "./announce.js";
import { repaint } from "./ink.js";
import { Start } from "./pages/start.js";
import { Dataset } from "./pages/dataset.js";
import { Job } from "./pages/job.js";
import { Model } from "./pages/model.js";
import { Jobs, Models } from "./pages/lists.js";
import { Logo, Moon, Sun } from "./parts/icons.js";

function pageOf([kind, id]) {
	if (kind === "datasets" && id) return html`<${Dataset} key=${id} id=${id} />`;
	if (kind === "jobs") return id ? html`<${Job} key=${id} id=${id} />` : html`<${Jobs} />`;
	if (kind === "models") return id ? html`<${Model} key=${id} name=${id} />` : html`<${Models} />`;
	return html`<${Start} />`;
}

function App() {
	const where = useSignal(place);
	const main = useRef();
	const arrived = useRef(false);
	useEffect(() => {
		// A new page is read from its top, by eye and by screen reader; not so the first one.
		if (arrived.current) {
			scrollTo(0, 0);
			main.current.focus({ preventScroll: true });
		}
		arrived.current = true;
	}, [where.join("/")]);
	const here = (kind) => (where[0] === kind ? "page" : null);
	return html`
		<a class="skip" href="#content" onClick=${(event) => (event.preventDefault(), main.current.focus())}>Skip to content</a>
		<header class="top">
			<a class="brand" href="#/"><${Logo} />Sigmoid</a>
			<nav aria-label="Main">
				<a href="#/" aria-current=${where[0] === "" || where[0] === "datasets" ? "page" : null}>Train</a>
				<a href="#/jobs" aria-current=${here("jobs")}>Jobs</a>
				<a href="#/models" aria-current=${here("models")}>Models</a>
				<a href="docs">API</a>
			</nav>
			<${ThemeButton} />
		</header>
		<main id="content" tabindex="-1" ref=${main}>${pageOf(where)}</main>
		<${Announcer} />
	`;
}

function ThemeButton() {
	const root = document.documentElement;
	const isDark = () => (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
	const [dark, setDark] = useState(isDark());
	useEffect(() => {
		const media = matchMedia("(prefers-color-scheme: dark)");
		const follow = () => (setDark(isDark()), repaint());
		media.addEventListener("change", follow);
		return () => media.removeEventListener("change", follow);
	}, []);
	const toggle = () => {
		root.dataset.theme = dark ? "light" : "dark";
		localStorage.setItem("theme", root.dataset.theme);
		setDark(!dark);
		repaint();
	};
	return html`<button class="icon" type="button" onClick=${toggle} aria-label=${dark ? "Use light colours" : "Use dark colours"}>
		${dark ? html`<${Sun} />` : html`<${Moon} />`}
	</button>`;
}

function Announcer() {
	return html`<div class="hidden" role="status" aria-live="polite">${useSignal(announced)}</div>`;
}

render(html`<${App} />`, document.body);
