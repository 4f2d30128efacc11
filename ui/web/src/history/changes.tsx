// Changes as they were reported.
import type { ChangeEvent } from "../api/model";
import { useLoad } from "../lib/load";
import { Icon } from "../lib/marks";
import { matcher } from "../lib/query";
import { plural } from "../lib/words";
import { safeLink } from "../panel/AlertDetails";
import { itemTerm } from "./address";
import { changeKey, getChange, getChanges } from "./api";
import type { Kind, PanelProps } from "./kind";
import { Absent, Aside, Fact, Pairs } from "./parts";
import { ItemLink, PastLink, usePlace } from "./place";
import { stamp } from "./range";

const statusWords = (status: string | undefined): string => (status ?? "succeeded").replace("_", " ");

export const changes: Kind<ChangeEvent> = {
  tab: "changes",
  words: ["report", "reports"],
  placeholder: 'Filter: a word of the title, or matchers such as kind="deploy" item="checkout" status!="succeeded"',
  columns: [
    { name: "When", className: "when" }, { name: "Kind" }, { name: "Status" }, { name: "Change", className: "clip", ink: "muted" }, { name: "Title", className: "clip", ink: "ink" },
    { name: "Items", className: "clip" }, { name: "By", className: "clip" },
  ],
  read: getChanges,
  keyOf: changeKey,
  look: ({ at, change: c }, now) => ({
    className: "",
    cells: [
      stamp(Date.parse(at), now), <span key="k" className="cause"><Icon name="change" />{c.kind}</span>, statusWords(c.status), c.id, c.title ?? "",
      <Items key="i" items={c.items ?? []} />, c.by ?? "",
    ],
  }),
  Panel: ChangePanel,
};

function Items({ items }: { items: readonly string[] }) {
  const [first] = items;
  if (first === undefined) return <span className="muted">none</span>;
  return <><ItemLink item={first} />{items.length > 1 && <span className="muted"> and {items.length - 1} more</span>}</>;
}

function ChangePanel({ open, row, onClose }: PanelProps<ChangeEvent>) {
  const { now } = usePlace();
  const read = useLoad(open, row === undefined ? "absent" : "", 0, async (signal) => row ?? getChange(open, signal));
  const e = row ?? read.value;
  if (e === null) return <Absent error={read.error} onClose={onClose} />;
  const c = e.change;
  const time = (at: string) => stamp(Date.parse(at), now);
  const page = safeLink(c.url);
  const items = c.items ?? [];
  const labels = c.labels ?? {};
  return (
    <Aside
      label={`Change ${c.id}`} title={c.title === undefined || c.title === "" ? c.id : c.title} onClose={onClose}
      signs={<>
        <Icon name="change" /><span className="ink">{c.kind}</span><span>{statusWords(c.status)}</span><span className="muted">{c.id}</span><span className="grow" />
        {page !== null && <span className="lk"><a href={page} target="_blank" rel="noreferrer">Its page</a></span>}
      </>}
      under={<dl className="facts">
        <Fact name="Reported">{time(e.at)}</Fact>
        {c.startsAt !== undefined && <Fact name="Begins">{time(c.startsAt)}</Fact>}
        {c.endsAt !== undefined && <Fact name="Ends">{time(c.endsAt)}</Fact>}
        {c.by !== undefined && c.by !== "" && <Fact name="By">{c.by}</Fact>}
      </dl>}
    >
      <section className="sec">
        <h3>Items <span className="muted">{items.length === 0 ? "it names none" : plural(items.length, "item")}</span></h3>
        <ul className="names">{items.map((item) => <li key={item}><PastLink part={{ tab: "alerts", q: itemTerm(item), open: null }} title={`The past of ${item}`}>{item}</PastLink></li>)}</ul>
      </section>
      {Object.keys(labels).length > 0 && <section className="sec"><h3>Labels</h3><Pairs of={labels} /></section>}
      <section className="sec"><h3>See also</h3><ul className="ways"><li><PastLink part={{ q: matcher("id", "=", c.id) }}>Only this change</PastLink></li></ul></section>
    </Aside>
  );
}
