// The service, as this page asks it. Addresses are relative: the page may live below a prefix.

/** An RFC 9457 problem document, thrown. */
export class Problem extends Error {
	constructor(document) {
		super(document.detail || document.title || "The service did not answer as expected.");
		this.status = document.status;
		this.errors = document.errors ?? [];
	}
}

async function ask(path, options) {
	let answer;
	try {
		answer = await fetch(path, options);
	} catch {
		throw new Problem({ detail: "The service does not answer. Is it running?" });
	}
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

/** Listen to a job until it ends or the returned function is called. The browser reconnects. */
export function listen(id, { onJob, onPoints, onLost }) {
	const source = new EventSource(`${at("jobs", id)}/stream`);
	const data = (event) => JSON.parse(event.data);
	source.addEventListener("snapshot", (event) => onJob(data(event)));
	source.addEventListener("status", (event) => onJob(data(event).job ?? data(event)));
	source.addEventListener("epoch", (event) => onPoints(data(event).points));
	source.addEventListener("done", (event) => {
		source.close();
		onJob(data(event));
	});
	source.addEventListener("open", () => onLost(false));
	source.addEventListener("error", () => onLost(true));
	return () => source.close();
}
