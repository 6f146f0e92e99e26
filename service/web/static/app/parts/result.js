// What a model is worth: each metric beside that of the trivial model.

import { html } from "../reactive.js";
import { isShare, lowerIsBetter, metric, word } from "../format.js";

const scalars = (metrics) => Object.keys(metrics).filter((key) => typeof metrics[key] === "number");

export function Result({ metrics, baseline, labels }) {
  return html`
    <table class="result">
      <thead><tr><th scope="col">On rows it has not seen</th><th scope="col">Network</th><th scope="col">Baseline</th></tr></thead>
      <tbody>
        ${scalars(metrics).map((key) => html`<tr key=${key}>
          <th scope="row">${word(key)}${lowerIsBetter(key) && html` <small title="Lower is better">↓</small>`}</th>
          <td><b>${metric(key, metrics[key])}</b></td>
          <td class="quiet">${metric(key, baseline?.[key])}</td>
          ${isShare(key) && html`<td class="under" aria-hidden="true"><span class="track"><i style=${{ width: within(metrics[key]) }}></i><u style=${{ left: within(baseline?.[key]) }}></u></span></td>`}
        </tr>`)}
      </tbody>
    </table>
    <p class="quiet">The baseline always answers ${labels ? "the most frequent class" : "the mean"}.</p>
    <${Confusion} confusion=${metrics.confusion} labels=${labels} />
  `;
}

const within = (share) => `${100 * Math.min(1, Math.max(0, share ?? 0))}%`;

function Confusion({ confusion, labels }) {
  const counts = Array.isArray(confusion) ? confusion : confusion?.matrix ?? confusion?.counts;
  const names = confusion?.labels ?? labels;
  if (!counts || !names || counts.length > 8 || counts.length !== names.length) return null;
  const most = Math.max(...counts.flat(), 1);
  return html`<table class="confusion">
    <caption>Truth in rows, prediction in columns</caption>
    <thead><tr><td></td>${names.map((name) => html`<th scope="col"><span class="cut">${String(name)}</span></th>`)}</tr></thead>
    <tbody>
      ${counts.map((row, truth) => html`<tr><th scope="row"><span class="cut">${String(names[truth])}</span></th>
        ${row.map((size, guess) => html`<td class=${size === 0 ? "none" : truth === guess ? "right" : "wrong"} style=${{ "--share": size / most }}>${size}</td>`)}
      </tr>`)}
    </tbody>
  </table>`;
}
