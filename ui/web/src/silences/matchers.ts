// The matchers of a silence as people write them, in Alertmanager's words, one a line or separated by commas.
import type { SilenceMatcher } from "../api/model";
import { matcher, terms } from "../lib/query";

const form = /^([^=!~<>"]+)(=~|!~|!=|=)([\s\S]*)$/;

function unquoted(value: string): string | null {
  const quote = value.charAt(0);
  if (quote !== '"' && quote !== "'") return value;
  if (value.length < 2 || !value.endsWith(quote)) return null;
  return value.slice(1, -1).replace(/\\(.)/g, (_, c: string) => (c === "n" ? "\n" : c === "t" ? "\t" : c));
}

/** Reads matchers; a text says what is wrong with them. The server has the last word. */
export function readMatchers(text: string): SilenceMatcher[] | string {
  const out: SilenceMatcher[] = [];
  for (const term of terms(text)) {
    const [, name, operator, raw = ""] = form.exec(term) ?? [];
    const value = unquoted(raw);
    if (name === undefined || value === null) return `${term} is no matcher such as alertname="HostDown".`;
    out.push({ name, value, isRegex: operator === "=~" || operator === "!~", isEqual: operator === "=" || operator === "=~" });
  }
  return out.length === 0 ? "Say which alerts." : out;
}

/** One matcher as it is written. */
export const written = (m: SilenceMatcher): string =>
  matcher(m.name, m.isRegex ? (m.isEqual ? "=~" : "!~") : m.isEqual ? "=" : "!=", m.value);

/** Matchers one a line. */
export const writeMatchers = (list: readonly SilenceMatcher[]): string => list.map(written).join("\n");

/** The labels that all of some alerts have, as matchers: what silences these and others like them. */
export function commonLabels(alerts: readonly { labels: Readonly<Record<string, string>> }[]): SilenceMatcher[] {
  const [first, ...others] = alerts;
  if (first === undefined) return [];
  return Object.entries(first.labels)
    .filter(([name, value]) => others.every((a) => a.labels[name] === value))
    .map(([name, value]) => ({ name, value, isRegex: false, isEqual: true }));
}
