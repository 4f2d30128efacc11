// Copies text. The clipboard of the browser is missing on plain HTTP from another machine, so there is an old way beside it.

/** Tells whether it worked. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldWay(text);
  }
}

/** Copies the address of an incident. */
export const copyLink = (row: { number: string }): Promise<boolean> => copyText(`${location.origin}/incidents/${encodeURIComponent(row.number)}`);

function copyOldWay(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "sr";
  document.body.append(area);
  area.select();
  try {
    // Deprecated, and yet the only way without a secure context.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    return document.execCommand("copy");
  } finally {
    area.remove();
  }
}
