// What a screen reader should say now.

import { signal } from "./reactive.js";

export const announced = signal("");
export const announce = (sentence) => (announced.value = sentence);
