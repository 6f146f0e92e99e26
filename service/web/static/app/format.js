// Numbers, durations and names as people read them.

const LOCALE = "en";
const grouped = new Intl.NumberFormat(LOCALE);
const MINUS = "−";

/** About `digits` significant digits, without exponents where a person would not write one. */
export function number(value, digits = 4) {
	if (value === null || value === undefined || !Number.isFinite(value)) return "–";
	if (value === 0) return "0";
	const size = Math.abs(value);
	if (size >= 1e7 || size < 1e-4) return value.toExponential(Math.min(2, digits - 1)).replace(".0e", "e").replace("-", MINUS).replace("e+", "e");
	return new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: digits, useGrouping: size >= 1e4 })
		.format(value)
		.replace("-", MINUS);
}

export const count = (value) => grouped.format(value);
export const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;

export function percent(share, digits = 1) {
	if (share === null || share === undefined || !Number.isFinite(share)) return "–";
	return `${(100 * share).toFixed(share === 0 || share === 1 ? 0 : digits).replace("-", MINUS)} %`;
}

export function duration(seconds) {
	if (seconds === null || seconds === undefined) return "–";
	if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
	if (seconds < 60) return `${seconds.toFixed(1)} s`;
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
	return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function ago(time) {
	const seconds = Math.max(0, (Date.now() - Date.parse(time)) / 1000);
	if (seconds < 60) return "just now";
	if (seconds < 3600) return `${Math.round(seconds / 60)} min ago`;
	if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
	return new Date(time).toLocaleDateString(LOCALE, { day: "numeric", month: "short", year: "numeric" });
}

const WORDS = {
	accuracy: "Accuracy",
	balanced_accuracy: "Balanced accuracy",
	log_loss: "Log loss",
	roc_auc: "ROC AUC",
	f1_macro: "F1, macro",
	precision_macro: "Precision, macro",
	recall_macro: "Recall, macro",
	pr_auc: "PR AUC",
	brier: "Brier score",
	mcc: "Matthews correlation",
	calibration_error: "Calibration error",
	top_3_accuracy: "Top 3 accuracy",
	top_5_accuracy: "Top 5 accuracy",
	mape: "Mean absolute % error",
	median_absolute_error: "Median absolute error",
	rmse: "RMSE",
	mae: "Mean absolute error",
	r2: "R²",
	leaky_relu: "leaky ReLU",
	relu: "ReLU",
	sgd: "SGD",
	adam: "Adam",
	early_stopping: "stopped early",
	epochs: "all epochs done",
	time_budget: "out of time",
};
export const word = (key) => WORDS[key] ?? String(key).replaceAll("_", " ");
export const isShare = (metric) => ["accuracy", "balanced_accuracy", "roc_auc", "f1_macro", "r2", "precision_macro", "recall_macro", "pr_auc", "top_3_accuracy", "top_5_accuracy"].includes(metric);
export const lowerIsBetter = (metric) => ["log_loss", "rmse", "mae", "mse", "mape", "median_absolute_error", "brier", "calibration_error"].includes(metric);
export function metric(key, value) {
	if (!isShare(key) || !Number.isFinite(value)) return number(value, 3);
	return ["r2", "roc_auc", "pr_auc"].includes(key) ? value.toFixed(3).replace("-", MINUS) : percent(value);
}
export const mainMetric = (task) => (task === "regression" ? "r2" : "accuracy");

/** "7 → 16 sigmoid → 3" without what is not known. */
export const layers = (network) =>
	network.layers.length === 0
		? "linear"
		: network.layers.map((layer) => `${layer.units} ${word(layer.activation)}`).join(" → ");
