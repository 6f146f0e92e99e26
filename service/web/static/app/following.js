// A job as it happens: what the stream tells, gathered.

import { useEffect, useState } from "./reactive.js";
import * as api from "./api.js";
import { isFinal } from "./parts/status.js";

/** Calls `set(old => new)` with {job, points, live, lost, error} until the returned function is called. */
export function follow(id, set) {
	let close = () => {};
	let wanted = true;
	const merge = (part) => wanted && set((old) => ({ ...old, ...part }));
	const listen = () =>
		api.listen(id, {
			onJob: (job) => merge({ job, live: true }),
			// After a reconnect the stream tells everything again.
			onPoints: (fresh) =>
				wanted &&
				set((old) => {
					const last = old.points.at(-1)?.epoch ?? 0;
					const news = fresh.filter((point) => point.epoch > last);
					return news.length ? { ...old, points: old.points.concat(news) } : old;
				}),
			onLost: (lost) => merge({ lost }),
		});
	const start = async () => {
		const job = await api.job(id);
		merge({ job });
		if (!wanted) return;
		if (isFinal(job)) merge({ points: (await api.metrics(id)).data });
		else close = listen();
	};
	start().catch((error) => merge({ error }));
	return () => {
		wanted = false;
		close();
	};
}

const EASE = 14; // frames to come most of the way

/** How many of `total` points to draw: training is often over sooner than an eye can follow. */
export function useRevealed(total, live) {
	const still = !live || matchMedia("(prefers-reduced-motion: reduce)").matches;
	const [shown, setShown] = useState(0);
	useEffect(() => {
		if (still || shown >= total) return undefined;
		const frame = requestAnimationFrame(() => setShown(total - shown > 5000 ? total : shown + Math.ceil((total - shown) / EASE)));
		return () => cancelAnimationFrame(frame);
	}, [shown, total, still]);
	return still ? total : Math.min(shown, total);
}
