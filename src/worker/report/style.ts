/** The report's only style sheet: light, dark where the reader's system is, and always light on paper. */
export const style = `
:root { color-scheme: light dark; --text: #1a1c1e; --muted: #5b6168; --surface: #fff; --rule: #d5d9dd; --warn: #8a4b00; --chart-grid: #d5d9dd; }
@media screen and (prefers-color-scheme: dark) {
  :root { --text: #e4e6e8; --muted: #9aa2aa; --surface: #16181b; --rule: #353a40; --warn: #f0b45a; --chart-grid: #3a4047; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 28px 24px 48px; max-width: 860px; background: var(--surface); color: var(--text);
  font: 13px/1.45 system-ui, "Noto Sans CJK TC", sans-serif; font-variant-numeric: tabular-nums; }
h1 { font-size: 21px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 14px; margin: 28px 0 8px; padding-bottom: 4px; border-bottom: 1px solid var(--rule); break-after: avoid; }
p { margin: 0 0 8px; max-width: 100ch; overflow-wrap: anywhere; }
.muted, figcaption, summary, dt { color: var(--muted); }
.columns { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 36px; align-items: start; }
dl { display: grid; grid-template-columns: minmax(110px, max-content) minmax(0, 1fr); gap: 3px 16px; margin: 0; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; }
th, td { padding: 2px 14px 2px 0; max-width: 9em; text-align: right; white-space: nowrap; vertical-align: baseline; }
th { font-weight: 500; color: var(--muted); }
thead th { white-space: normal; vertical-align: bottom; border-bottom: 1px solid var(--rule); }
th.text, td.text { max-width: 24em; text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 6em; }
tr { break-inside: avoid; }
tfoot td, tfoot th { border-top: 1px solid var(--rule); }
.strong { font-weight: 650; color: var(--text); }
section { overflow-x: auto; }
figure { margin: 0 0 6px; }
figure svg { display: block; break-inside: avoid; }
figcaption { max-width: 100ch; margin-top: 4px; }
details { margin: 4px 0 0; overflow-x: auto; }
summary { cursor: pointer; }
.warnings { margin: 0; padding: 0 0 0 18px; color: var(--warn); }
pre { margin: 6px 0; padding: 8px 10px; border: 1px solid var(--rule); font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media (max-width: 800px) { .columns { grid-template-columns: minmax(0, 1fr); } }
@page { size: A4; margin: 14mm; }
@media print {
  :root { color-scheme: light; }
  summary { list-style: none; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  h2 { margin-top: 16px; }
  .columns { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0 24px; }
  details::details-content { content-visibility: visible; display: block; }
  section, details { overflow: visible; }
  figure:has(+ details #sparsity) + details { display: none; } /* the chart after it has the same numbers in its table */
  details table { font-size: 7.5pt; line-height: 1.25; }
  details > summary, details > p { break-after: avoid; }
  details th, details td { max-width: none; }
  th, td { padding-right: 8px; }
}
`;
