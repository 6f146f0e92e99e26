// What the service can be asked for, in the words of its API.

export const ACTIVATIONS = {
	sigmoid: (z) => 1 / (1 + Math.exp(-z)),
	tanh: Math.tanh,
	relu: (z) => Math.max(0, z),
	leaky_relu: (z) => (z > 0 ? z : 0.1 * z),
	identity: (z) => z,
};
export const GENERATORS = {
	moons: "Two half moons, two classes",
	circles: "A ring around a disc",
	spirals: "Two arms, hard for a small network",
	xor: "Opposite corners alike",
	blobs: "Round clusters",
	linear: "y = 2x + 1, with noise",
	friedman: "Friedman's benchmark, numbers",
};
export const OPTIMIZERS = { adam: 0.01, sgd: 0.05 };
export const SCALINGS = { standardize: "standardise", minmax: "min–max", none: "none" };
export const LIKELY_TARGETS = ["target", "label", "class", "species", "y", "outcome"];

/** The column a person would most likely want to predict. */
export function likelyTarget(columns) {
	const usable = columns.filter((column) => column.type !== "text" && column.distinct !== 1);
	const named = usable.find((column) => LIKELY_TARGETS.includes(column.name.toLowerCase()));
	return (named ?? usable.at(-1))?.name ?? null;
}
