// Predict with an exported model: import { predict } from "./model.mjs"; predict([{ column: 1.5 }])

const PLAN = null;
const LARGEST = 3.4028234663852886e38;
const PERIODS = { month: 12, day: 31, weekday: 7, hour: 24, day_of_year: 365.25 };
const DATE = /^(\d{4})-(\d{2})-(\d{2})([T ](\d{2}):(\d{2})(:(\d{2})(\.\d{1,9})?)?(Z|[+-](\d{2}):?(\d{2}))?)?$/;

const share = (z) => {
	const e = Math.exp(-Math.abs(z));
	return (z > 0 ? 1 : e) / (1 + e);
};
const gelu = (z) => {
	const near = Math.min(30, Math.max(-30, z));
	return z * share(1.5957691216057308 * (near + 0.044715 * near * near * near));
};

/** Every activation of z and alpha. */
export const ACTIVATIONS = {
	sigmoid: (z) => 0.5 + 0.5 * Math.tanh(0.5 * z),
	tanh: (z) => Math.tanh(z),
	relu: (z) => (z > 0 ? z : 0),
	leaky_relu: (z, alpha) => (z > 0 ? z : alpha * z),
	elu: (z, alpha) => (z > 0 ? z : alpha * Math.expm1(z)),
	selu: (z) => 1.0507009873554805 * (z > 0 ? z : 1.6732632423543772 * Math.expm1(z)),
	gelu,
	silu: (z) => z * share(z),
	softplus: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
	softsign: (z) => z / (1 + Math.abs(z)),
	hard_sigmoid: (z) => Math.min(1, Math.max(0, z / 6 + 0.5)),
	identity: (z) => z,
};

function curved(curve, x) {
	if (curve.name === "identity") return x;
	if (curve.name === "log1p") return Math.sign(x) * Math.log1p(Math.abs(x));
	const { knots, values } = curve;
	if (x <= knots[0]) return values[0];
	if (x >= knots[knots.length - 1]) return values[knots.length - 1];
	let low = 0;
	let high = knots.length - 1;
	while (high - low > 1) {
		const middle = (low + high) >> 1;
		if (knots[middle] <= x) low = middle;
		else high = middle;
	}
	const slope = (values[high] - values[low]) / (knots[high] - knots[low]);
	return values[low] + slope * (x - knots[low]);
}

const isMissing = (cell) => cell === null || cell === undefined || cell === "" || Number.isNaN(cell);

function refuse(feature, what) {
	throw new RangeError(`${what} in column ${JSON.stringify(feature.name)}`);
}

function position(feature, cell) {
	if (isMissing(cell)) return feature.fill;
	if (typeof cell !== "string") refuse(feature, "expected text");
	feature.positions ??= new Map(feature.levels.map((level, at) => [level, at]));
	const found = feature.positions.get(cell) ?? -1;
	if (found < 0 && feature.refuse_unseen) refuse(feature, "a level that training did not see");
	return found;
}

function dateParts(text) {
	const match = DATE.exec(text);
	if (match === null) return null;
	const at = (group) => Number(match[group] ?? 0);
	const [year, month, day] = [at(1), at(2), at(3)];
	const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
	const lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return null;
	if (at(5) > 23 || at(6) > 59 || at(8) > 59 || at(11) > 23 || at(12) > 59) return null;
	const since = lengths.slice(0, month - 1).reduce((sum, length) => sum + length, 0) + day - 1;
	const before = year - 1;
	const leaps = Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400);
	return {
		year,
		month: month - 1,
		day: day - 1,
		weekday: (before * 365 + leaps + since) % 7,
		hour: at(5) + at(6) / 60 + at(8) / 3600,
		day_of_year: since,
	};
}

/** How the cell of each kind of column becomes inputs. */
export const KINDS = {
	number(feature, given) {
		const cell = isMissing(given) ? feature.fill : given;
		if (typeof cell !== "number" || !Number.isFinite(cell)) refuse(feature, "expected a finite number");
		const scaled = (curved(feature.curve, cell) - feature.offset) / feature.scale;
		if (Math.abs(scaled) > LARGEST) refuse(feature, "too large a number");
		return [scaled];
	},
	boolean(feature, cell) {
		if (isMissing(cell)) return [feature.fill];
		if (typeof cell !== "boolean") refuse(feature, "expected true or false");
		return [Number(cell)];
	},
	one_hot(feature, cell) {
		const found = position(feature, cell);
		return feature.levels.map((_, at) => Number(at === found));
	},
	lookup(feature, cell) {
		const found = position(feature, cell);
		return [found < 0 ? feature.other : feature.values[found]];
	},
	date(feature, cell) {
		const missing = isMissing(cell);
		const parts = missing || typeof cell !== "string" ? null : dateParts(cell);
		if (!missing && parts === null) refuse(feature, "expected a date by ISO 8601");
		return feature.parts.flatMap((part) => {
			if (part === "year") return [missing ? 0 : (parts.year - feature.offset) / feature.scale];
			if (missing) return [0, 0];
			const angle = (2 * Math.PI * parts[part]) / PERIODS[part];
			return [Math.sin(angle), Math.cos(angle)];
		});
	},
};

function encode(row) {
	const { features } = PLAN;
	let cells = row;
	if (!Array.isArray(row)) {
		const names = new Set(features.map((feature) => feature.name));
		const known = Object.keys(row).length === names.size && Object.keys(row).every((name) => names.has(name));
		if (!known) throw new RangeError(`expected the columns ${[...names].map((name) => JSON.stringify(name)).join(", ")}`);
		cells = features.map((feature) => row[feature.name]);
	}
	if (cells.length !== features.length) throw new RangeError(`expected ${features.length} cells in a row`);
	return features.flatMap((feature, at) => {
		const missing = isMissing(cells[at]);
		if (missing && feature.refuse_missing) refuse(feature, "a missing value");
		const found = KINDS[feature.kind](feature, cells[at]);
		return feature.indicator ? [...found, Number(missing)] : found;
	});
}

function forward(inputs) {
	let x = inputs;
	for (const { weights, biases, activation, alpha } of PLAN.layers) {
		const sums = [...biases];
		x.forEach((input, at) => weights[at].forEach((weight, unit) => { sums[unit] += input * weight; }));
		x = sums.map((sum) => ACTIVATIONS[activation](sum, alpha));
	}
	return x;
}

const named = (names, give) => Object.fromEntries(names.map((name, at) => [name, give(name, at)]));

function quantity(z, part) {
	const answered = PLAN.link === "exp" ? Math.exp(Math.min(z, 30)) : z;
	const value = answered * part.scale + part.mean;
	return part.curve === "log1p" ? Math.sign(value) * Math.expm1(Math.abs(value)) : value;
}

function answers(sums, { columns, parts }) {
	if (PLAN.link !== "sigmoid") {
		return { values: named(columns, (_, at) => quantity(sums[at], parts[at])) };
	}
	const shares = Array.from(sums, (z) => 0.5 + 0.5 * Math.tanh(0.5 * z));
	return {
		labels: named(columns, (_, at) => parts[at].labels[shares[at] > 0.5 ? 1 : 0]),
		probabilities: named(columns, (_, at) => shares[at]),
	};
}

function answer(sums) {
	const { target } = PLAN;
	if (target.columns) return answers(sums, target);
	if (target.quantiles) {
		const ordered = Float64Array.from(sums).sort();
		return { quantiles: named(target.quantiles, (_, at) => quantity(ordered[at], target)) };
	}
	if (!target.labels) return { value: quantity(sums[0], target) };
	let shares;
	if (PLAN.link === "sigmoid") {
		const second = 0.5 + 0.5 * Math.tanh(0.5 * sums[0]);
		shares = [1 - second, second];
	} else {
		const powers = sums.map((z) => Math.exp(z - Math.max(...sums)));
		const total = powers.reduce((sum, power) => sum + power, 0);
		shares = powers.map((power) => power / total);
	}
	const best = shares.indexOf(Math.max(...shares));
	return {
		label: target.labels[best],
		probabilities: Object.fromEntries(target.names.map((name, at) => [name, shares[at]])),
	};
}

/**
 * An answer a row.
 * @param {Array<Object<string, number|string|boolean|null>|Array<number|string|boolean|null>>} rows
 *   by column name, or as lists in the order of the columns; null is missing
 * @returns {Array<{value: number}|{label: string|number|boolean, probabilities: Object<string, number>}>}
 *   of several targets {values} or {labels, probabilities} by column, of quantiles {quantiles}
 * @throws {RangeError} naming the column that is wrong
 */
export function predict(rows) {
	return rows.map((row) => answer(forward(encode(row))));
}
