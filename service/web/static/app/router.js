// Where we are: the part of the address after the hash.

import { signal } from "./reactive.js";

function read() {
	try {
		return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
	} catch {
		return [""]; // not an address that this page made
	}
}

export const place = signal(read());
addEventListener("hashchange", () => (place.value = read()));

export const link = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;
export const go = (...parts) => (location.hash = link(...parts));
