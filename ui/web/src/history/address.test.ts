import { describe, expect, it } from "vitest";
import { type Address, carried, itemAddress, readAddress, writeAddress } from "./address";

const plain: Address = { tab: "alerts", q: "", range: "24h", zoom: null, open: null };
const at = (s: string) => Date.parse(s);
const part = { from: at("2026-11-25T08:00:00Z"), to: at("2026-11-25T08:15:00Z") };

const there = (a: Address) => readAddress(new URL(writeAddress(a), "http://board.test").search);

describe("the address", () => {
  it("is short when nothing was chosen", () => {
    expect(writeAddress(plain)).toBe("/history");
    expect(readAddress("")).toEqual(plain);
  });

  it.each<[string, Address]>([
    ["a tab and a query", { ...plain, tab: "changes", q: 'kind="deploy" item=~"a+b&c" "two words"' }],
    ["another range", { ...plain, range: "30d" }],
    ["a range from to", { ...plain, range: part }],
    ["a part chosen in the chart", { ...plain, range: "7d", zoom: part }],
    ["what is open", { ...plain, tab: "incidents", open: "df26b4258f71af56" }],
    ["an open alert", { ...plain, open: "2026-11-25T08:02:56.777614304Z/af7b9cc69c917e4d//firing/1" }],
  ])("keeps %s", (_, a) => expect(there(a)).toEqual(a));

  it.each([
    "?tab=nothing&range=5h", "?from=yesterday&to=today", "?from=2026-11-25T09:00:00Z&to=2026-11-25T08:00:00Z", "?from=2026-11-25T09:00:00Z",
    "?zoom=2026-11-25T08:00:00Z", "?zoom=/", "?open=",
  ])("that says nothing sensible is the plain page: %s", (search) => expect(readAddress(search)).toEqual(plain));

  it("of an item's past quotes its name", () => {
    expect(readAddress(new URL(itemAddress('a "b" \\c'), "http://board.test").search).q).toBe('item="a \\"b\\" \\\\c"');
  });
});

describe("on another tab", () => {
  it.each<[string, Parameters<typeof carried>, string]>([
    ["words and common fields stay", ['switch item="sw-1" severity="critical" "two words"', "alerts", "incidents"], 'switch item="sw-1" severity="critical" "two words"'],
    ["labels go", ['alertname=~"Kube.*" item!="x"', "alerts", "incidents"], 'item!="x"'],
    ["fields of incidents are no labels", ['priority<=2 site="north" item=~"a.*"', "incidents", "alerts"], 'item=~"a.*"'],
    ["the same name for something else goes", ['status="firing" item="x"', "alerts", "changes"], 'item="x"'],
    ["nothing is left of nothing", ["", "alerts", "changes"], ""],
  ])("%s", (_, args, want) => expect(carried(...args)).toBe(want));
});
