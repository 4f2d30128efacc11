// Builds and takes apart queries: `alertname=~"Kube.*" priority<=2 switch`. The server evaluates them.

export type Operator = "=" | "!=" | "=~" | "!~" | "<" | "<=" | ">" | ">=";

/** One matcher, its value quoted where it needs to be. */
export function matcher(name: string, operator: Operator, value: string | number | boolean): string {
  if (typeof value === "number") return `${name}${operator}${value}`;
  const text = String(value).replace(/["\\]/g, (c) => `\\${c}`).replace(/\n/g, "\\n").replace(/\t/g, "\\t");
  return `${name}${operator}"${text}"`;
}

/** The matchers and words of a query, as they stand there. An open quote reaches to the end. */
export function terms(q: string): string[] {
  const out: string[] = [];
  let term = "";
  let quote = "";
  for (let i = 0; i < q.length; i++) {
    const c = q.charAt(i);
    if (quote !== "") {
      term += c;
      if (c === "\\") term += q.charAt(++i);
      else if (c === quote) quote = "";
    } else if (/[\s,{}]/.test(c)) {
      if (term !== "") out.push(term);
      term = "";
    } else {
      if (c === '"' || c === "'") quote = c;
      term += c;
    }
  }
  if (term !== "") out.push(term);
  return out;
}

/** The query with a term more; one that is there already is not repeated. */
export function withTerm(q: string, term: string): string {
  const all = terms(q);
  return all.includes(term) ? all.join(" ") : [...all, term].join(" ");
}

export function withoutTerm(q: string, term: string): string {
  return terms(q).filter((t) => t !== term).join(" ");
}

export const hasTerm = (q: string, term: string): boolean => terms(q).includes(term);

export const withoutLast = (q: string): string => terms(q).slice(0, -1).join(" ");
