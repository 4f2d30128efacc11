// What one kind of the past needs to be listed and opened.
import type { ReactNode } from "react";
import type { Page, Question } from "./api";
import type { Tab } from "./address";
import type { Column } from "./list";

export interface PanelProps<T> {
  /** The key of what is open. */
  open: string;
  /** Its row, when it is in the list. */
  row: T | undefined;
  onClose: () => void;
}

export interface Kind<T> {
  tab: Tab;
  words: readonly [one: string, many: string];
  /** What the query bar suggests. */
  placeholder: string;
  columns: readonly Column[];
  read: (question: Question, cursor: string | null, signal: AbortSignal) => Promise<Page<T>>;
  keyOf: (row: T) => string;
  /** The classes of a row, and its cells; `now` tells which year need not be said. */
  look: (row: T, now: number) => { className: string; cells: readonly ReactNode[] };
  Panel: (props: PanelProps<T>) => ReactNode;
}
