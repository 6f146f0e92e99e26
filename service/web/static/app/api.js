// The service, as this page asks it. Addresses are relative: the page may live below a prefix.

/** An RFC 9457 problem document, thrown. */
export class Problem extends Error {
	constructor(document) {
		super(document.detail || document.title || "The service did not answer as expected.");
		this.status = document.status;
		this.errors = document.errors ?? [];
	}
}

/** The API key of this tab, where the service asks for one. */
const KEY = "sigmoid.key";
const authorization = () => {
	const key = sessionStorage.getItem(KEY);
	return key ? { Authorization: `Bearer ${key}` } : {};
};

async function send(path, options = {}) {
	try {
		return await fetch(path, { ...options, headers: { ...options.headers, ...authorization() } });
	} catch (error) {
		if (error.name === "AbortError") throw error;
		throw new Problem({ detail: "The service does not answer. Is it running?" });
	}
}

let asking;
/** Ask the person for a key, once for all requests that wait for one. */
function askForKey() {
	asking ??= Promise.resolve().then(() => {
		const key = prompt("This service asks for an API key.")?.trim();
		if (key) sessionStorage.setItem(KEY, key);
		setTimeout(() => (asking = undefined), 1000);
		return Boolean(key);
	});
	return asking;
}

async function ask(path, options) {
	let answer = await send(path, options);
	if (answer.status === 401 && (await askForKey())) answer = await send(path, options);
	const body = await answer.json().catch(() => ({ status: answer.status, title: answer.statusText }));
	if (!answer.ok) throw new Problem(body);
	return body;
}

const get = (path) => ask(path);
const post = (path, body) =>
	ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });
const at = (collection, id) => `v1/${collection}/${encodeURIComponent(id)}`;

export const dataset = (id) => get(at("datasets", id));
export const datasets = () => get("v1/datasets?limit=8");
export const rows = (id, after, limit) => get(`${at("datasets", id)}/rows?after=${after}&limit=${limit}`);
export const sample = (name) => post(at("datasets/samples", name));
export const generate = (request) => post("v1/datasets/generate", request);
export const job = (id) => get(at("jobs", id));
export const jobs = (limit) => get(`v1/jobs?limit=${limit}`);
export const submit = (request) => post("v1/jobs", request);
export const cancel = (id) => post(`${at("jobs", id)}/cancel`);
export const metrics = (id) => get(`${at("jobs", id)}/metrics?max_points=2000`);
export const model = (name) => get(at("models", name));
export const models = (limit) => get(`v1/models?limit=${limit}`);
export const version = (name, number) => get(`${at("models", name)}/versions/${number}`);
export const reportPath = (name, number) => `${at("models", name)}/versions/${number}/report`;
export const predictPath = (name, number) => `${at("models", name)}/versions/${number}/predict`;
export const predict = (name, number, rows) => post(predictPath(name, number), { rows });

const MEDIA_TYPES = {
	tsv: "text/tab-separated-values",
	ndjson: "application/x-ndjson",
	jsonl: "application/x-ndjson",
	json: "application/json",
	parquet: "application/vnd.apache.parquet",
	arrow: "application/vnd.apache.arrow.stream",
};
export const ACCEPTED = ".csv,.tsv,.ndjson,.jsonl,.json,.parquet,.arrow";

export function upload(file) {
	const ending = file.name.split(".").pop().toLowerCase();
	const name = file.name.replace(/\.[^.]*$/, "").slice(0, 128) || "data";
	return ask(`v1/datasets?name=${encodeURIComponent(name)}`, {
		method: "POST",
		headers: { "Content-Type": MEDIA_TYPES[ending] ?? "text/csv" },
		body: file,
	});
}

/** Listen to a job until it ends or the returned function is called. Reconnects by itself. */
export function listen(id, { onJob, onPoints, onLost }) {
	const stop = new AbortController();
	const take = {
		snapshot: onJob,
		status: (data) => onJob(data.job ?? data),
		epoch: (data) => onPoints(data.points),
		done: onJob,
	};
	follow(`${at("jobs", id)}/stream`, stop.signal, take, onLost);
	return () => stop.abort();
}

/** Server-sent events by fetch: unlike EventSource it can carry a key. */
async function follow(path, signal, take, onLost) {
	let last = "";
	while (!signal.aborted) {
		try {
			const headers = { Accept: "text/event-stream", ...(last && { "Last-Event-ID": last }) };
			const answer = await send(path, { headers, signal, cache: "no-store" });
			if (answer.status === 401 && (await askForKey())) continue;
			if (answer.status === 404) return onLost(true);
			if (!answer.ok) throw new Problem({ status: answer.status });
			onLost(false);
			for await (const event of frames(answer.body)) {
				last = event.id ?? last;
				take[event.event]?.(JSON.parse(event.data));
				if (event.event === "done") return;
			}
		} catch {
			if (signal.aborted) return;
			onLost(true);
		}
		await new Promise((resolve) => setTimeout(resolve, 1000));
	}
}

/** The events of a stream: their fields by name; comments have none. */
async function* frames(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	for (;;) {
		const { done, value } = await reader.read();
		if (done) return;
		text += value;
		const whole = text.split("\n\n");
		text = whole.pop();
		for (const frame of whole) {
			const lines = frame.split("\n").filter((line) => line && !line.startsWith(":"));
			const fields = lines.map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]);
			if (fields.length) yield Object.fromEntries(fields);
		}
	}
}
