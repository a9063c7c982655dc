import { isDeepStrictEqual } from "node:util";

import {
  isMap,
  isPair,
  isSeq,
  parseDocument,
  stringify,
  type Document,
  type Node,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";

import { FleetError } from "../lib/errors.ts";

/** A step from the document's root to a value: keys of maps, indexes of lists. */
type Path = readonly (string | number)[];

/**
 * Edits of a roster's text that touch only what they name: comments, order, quoting and unknown keys stay byte for byte.
 * `yaml` cannot write a document back unchanged (it folds spaces before comments), so the text is spliced at the ranges
 * of its nodes, and every splice is read back: it says what was meant, or nothing is changed.
 */

/** Sets one value; the key is added at the end of its map where it is missing, and nothing happens where it is so already. */
export function setValue(text: string, path: Path, value: unknown): string {
  const document = parse(text);
  const before = document.toJS() as unknown;
  if (isDeepStrictEqual(document.getIn(path) === undefined ? undefined : jsAt(before, path), value)) return text;
  const above = path.slice(0, -1);
  const key = path.at(-1);
  // A map that is not there yet is made with the key in it.
  if (above.length > 0 && !document.hasIn(above)) return setValue(text, above, { [String(key)]: value });
  const parent = above.length === 0 ? document.contents : document.getIn(above, true);
  if (key === undefined || !(isMap(parent) || isSeq(parent))) throw refuse(path);
  const old = parent.get(key, true);
  const flow = isFlow(parent);
  const indent = isMap(parent) ? indentOf(text, parent) : 0;
  const rendered = render(value, flow, indent, text);
  const edited = isNode(old)
    ? replaceNode(text, old, rendered)
    : isMap(parent)
      ? addPair(text, parent, String(key), rendered)
      : undefined;
  return checked(edited, withValue(before, path, value), path);
}

/** Adds an agent at the end of the list. */
export function addAgent(text: string, entry: Readonly<Record<string, unknown>>): string {
  const document = parse(text);
  const list = agentsOf(document);
  const last = list.items.length - 1;
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  let edited: string;
  if (isFlow(list)) {
    const at = last < 0 ? startOf(list) + 1 : endOf(list.items[last] as Node, text);
    edited = splice(text, at, at, `${last < 0 ? "" : ", "}${flowText(entry)}`);
  } else {
    const dash = dashOf(list, 0);
    const pad = " ".repeat(dash - lineStart(text, dash));
    const block = stringify([entry], { lineWidth: 0, blockQuote: "literal" }).replaceAll(/^(?=.)/gm, pad);
    const at = lineEnd(text, endOf(list.items[last] as Node, text));
    const apart =
      last > 0 && /\n\s*\n/.test(text.slice(endOf(list.items[last - 1] as Node, text) - 1, dashOf(list, last)));
    const lead = text[at - 1] === "\n" ? "" : eol;
    const body = `${apart ? "\n" : ""}${block}`.replaceAll("\n", eol);
    edited = splice(text, at, at, lead + (at === text.length && lead !== "" ? body.slice(0, -eol.length) : body));
  }
  const wanted = document.toJS() as { agents: unknown[] };
  return checked(edited, { ...wanted, agents: [...wanted.agents, entry] }, ["agents"]);
}

/** Removes the agent of that name with the comment lines that stand directly above it. */
export function removeAgent(text: string, name: string): string {
  const document = parse(text);
  const list = agentsOf(document);
  const index = list.items.findIndex((item) => isMap(item) && item.get("name") === name);
  const item = list.items[index];
  if (!isNode(item)) throw new FleetError("not-found", `No agent is named ${name}.`, { hint: "mosaic fleet ps" });
  const edited = isFlow(list) ? withoutFlowItem(text, list, index) : withoutBlockItem(text, list, index);
  const wanted = document.toJS() as { agents: unknown[] };
  return checked(edited, { ...wanted, agents: wanted.agents.filter((_, at) => at !== index) }, ["agents", name]);
}

/** Adds an entry to a map at the top, as a block where that map is one; the map is made at the end where it is missing. */
export function addEntry(text: string, map: string, name: string, entry: Readonly<Record<string, unknown>>): string {
  const document = parse(text);
  const parent = document.get(map, true);
  if (isFlow(document.contents as YAMLMap) || (parent !== undefined && (!isMap(parent) || isFlow(parent))))
    return setValue(text, [map, name], entry);
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const above = isMap(parent) ? " ".repeat(indentOf(text, parent)) : "";
  const block = stringify(isMap(parent) ? { [name]: entry } : { [map]: { [name]: entry } }, { lineWidth: 0 });
  const last = isMap(parent) ? parent.items.at(-1) : (document.contents as YAMLMap).items.at(-1);
  const at = lineEnd(text, endOfPair(last, text));
  const lead = text[at - 1] === "\n" ? "" : eol;
  const put = block.replaceAll(/^(?=.)/gm, above).replaceAll("\n", eol);
  const before = document.toJS() as Record<string, Record<string, unknown>>;
  const wanted = { ...before, [map]: { ...before[map], [name]: entry } };
  return checked(splice(text, at, at, lead + put), wanted, [map, name]);
}

/** Removes an entry of a map at the top; with its last entry the map goes too. */
export function removeEntry(text: string, map: string, name: string): string {
  const document = parse(text);
  const parent = document.get(map, true);
  const owner = isMap(parent) && parent.items.length === 1 ? document.contents : parent;
  const key = owner === parent ? name : map;
  const index = isMap(owner) ? owner.items.findIndex((pair) => isNode(pair.key) && String(pair.key) === key) : -1;
  const pair = isMap(owner) ? owner.items[index] : undefined;
  if (!isMap(owner) || pair === undefined || !isNode(pair.key)) throw refuse([map, name]);
  const from = startOf(pair.key);
  const next = owner.items[index + 1]?.key;
  const edited = !isFlow(owner)
    ? splice(text, lineStart(text, from), lineEnd(text, endOfPair(pair, text)), "")
    : isNode(next)
      ? splice(text, from, startOf(next), "")
      : splice(text, index === 0 ? from : endOfPair(owner.items[index - 1], text), endOfPair(pair, text), "");
  const { [map]: entries, ...rest } = document.toJS() as Record<string, Record<string, unknown>>;
  const kept = Object.fromEntries(Object.entries(entries ?? {}).filter(([one]) => one !== name));
  return checked(edited, owner === parent ? { ...rest, [map]: kept } : rest, [map, name]);
}

function withoutBlockItem(text: string, list: YAMLSeq, index: number): string {
  let start = lineStart(text, dashOf(list, index));
  let end = lineEnd(text, endOf(list.items[index] as Node, text));
  const lineAbove = () => text.slice(lineStart(text, start - 1), start);
  if (index > 0) {
    while (/^[ \t]*#/.test(lineAbove())) start = lineStart(text, start - 1);
    while (/^[ \t]*\r?\n$/.test(lineAbove())) start = lineStart(text, start - 1);
  } else if (list.items.length > 1) {
    while (/^[ \t]*\r?\n/.test(text.slice(end))) end = text.indexOf("\n", end) + 1;
  }
  // The last line of a file without a final line break leaves with the break before it.
  if (end === text.length && text[end - 1] !== "\n" && start > 0) start -= text[start - 2] === "\r" ? 2 : 1;
  return splice(text, start, end, "");
}

function withoutFlowItem(text: string, list: YAMLSeq, index: number): string {
  const previous = list.items[index - 1];
  const next = list.items[index + 1];
  const start = isNode(previous) ? endOf(previous, text) : startOf(list.items[index] as Node);
  const end = isNode(previous) || !isNode(next) ? endOf(list.items[index] as Node, text) : startOf(next);
  return splice(text, start, end, "");
}

function replaceNode(text: string, old: Node, rendered: string): string {
  // A block map or list begins on the line below its key; a plain value belongs behind the key.
  const nested = (isMap(old) || isSeq(old)) && !isFlow(old) && !rendered.includes("\n");
  const key = text.slice(0, startOf(old)).replace(/[ \t]*(\r?\n[ \t]*)+$/, "");
  const start = nested && key.endsWith(":") ? key.length : startOf(old);
  const end = endOf(old, text);
  const put = fitBlock(rendered, text, end);
  return splice(text, start, end, start === startOf(old) ? put : ` ${put}`);
}

function addPair(text: string, map: YAMLMap, key: string, rendered: string): string {
  const last = map.items.at(-1);
  if (isFlow(map)) {
    const at = last === undefined ? startOf(map) + 1 : endOfPair(last, text);
    return splice(
      text,
      at,
      at,
      `${last === undefined ? " " : ", "}${key}: ${rendered}${last === undefined ? " " : ""}`,
    );
  }
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const at = lineEnd(text, last === undefined ? startOf(map) : endOfPair(last, text));
  const lead = text[at - 1] === "\n" || at === 0 ? "" : eol;
  const tail = lead === "" && !rendered.endsWith("\n") ? eol : "";
  return splice(text, at, at, `${lead}${" ".repeat(indentOf(text, map))}${key}: ${rendered}${tail}`);
}

function parse(text: string): Document.Parsed {
  const document = parseDocument(text, { keepSourceTokens: true });
  const [broken] = document.errors;
  if (broken !== undefined) throw new FleetError("invalid-roster", `The roster is not valid YAML: ${broken.message}`);
  return document;
}

function agentsOf(document: Document.Parsed): YAMLSeq {
  const list = document.get("agents", true);
  if (!isSeq(list)) throw refuse(["agents"]);
  return list;
}

const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && "range" in value;
const isFlow = (node: { flow?: boolean }): boolean => node.flow === true;
const startOf = (node: Node): number => node.range?.[0] ?? 0;

/** Where a value's own text ends: the last leaf's end, so that comments below a block are not taken for part of it. */
function endOf(node: Node, text: string): number {
  if (isMap(node) && !isFlow(node) && node.items.length > 0) return endOfPair(node.items.at(-1), text);
  if (isSeq(node) && !isFlow(node) && node.items.length > 0) {
    const last = node.items.at(-1);
    if (isNode(last)) return endOf(last, text);
  }
  return node.range?.[1] ?? text.length;
}

function endOfPair(pair: unknown, text: string): number {
  if (!isPair(pair)) return text.length;
  if (isNode(pair.value) && (startOf(pair.value) !== endOf(pair.value, text) || !isNode(pair.key))) {
    return endOf(pair.value, text);
  }
  return isNode(pair.key) ? (pair.key.range?.[1] ?? text.length) + 1 : text.length; // `key:` with nothing behind it
}

function dashOf(list: YAMLSeq, index: number): number {
  const token = list.srcToken;
  const source = token?.type === "block-seq" ? token.items[index]?.start : undefined;
  return source?.find((part) => part.type === "seq-item-ind")?.offset ?? startOf(list);
}

const lineStart = (text: string, at: number): number => text.lastIndexOf("\n", at - 1) + 1;
function lineEnd(text: string, at: number): number {
  if (at > 0 && text[at - 1] === "\n") return at;
  const found = text.indexOf("\n", at);
  return found < 0 ? text.length : found + 1;
}

/** The column of a map's keys. */
function indentOf(text: string, map: YAMLMap): number {
  const first = map.items[0]?.key;
  const at = isNode(first) ? startOf(first) : startOf(map);
  return at - lineStart(text, at);
}

const splice = (text: string, from: number, to: number, put: string): string =>
  text.slice(0, from) + put + text.slice(to);

function render(value: unknown, flow: boolean, indent: number, text: string): string {
  if (flow || typeof value !== "string" || !value.includes("\n")) return flowText(value);
  const pad = " ".repeat(indent + 2);
  const block = stringify(value, { lineWidth: 0, blockQuote: "literal" }).replace(/\n$/, "");
  const [head = "", ...body] = block.split("\n");
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  return [head, ...body.map((line) => (line === "" ? "" : pad + line.replace(/^ {2}/, "")))].join(eol) + eol;
}

/** A block scalar replaced by a plain one took its line break along: put it back. And the other way round. */
function fitBlock(rendered: string, text: string, end: number): string {
  const tookBreak = text[end - 1] === "\n";
  if (tookBreak && !rendered.endsWith("\n")) return `${rendered}\n`;
  if (!tookBreak && rendered.endsWith("\n") && (text[end] === "\n" || text[end] === "\r"))
    return rendered.replace(/\r?\n$/, "");
  return rendered;
}

/** A value in flow style: JSON, with the quotes left off where YAML needs none. */
function flowText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flowText).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const pairs = Object.entries(value).filter(([, part]) => part !== undefined);
    return pairs.length === 0
      ? "{}"
      : `{ ${pairs.map(([key, part]) => `${flowText(key)}: ${flowText(part)}`).join(", ")} }`;
  }
  if (typeof value !== "string") return JSON.stringify(value) ?? "null";
  const plain = /^[A-Za-z~/.][\w./~+-]*$/.test(value) && !/^(true|false|null|yes|no|on|off|~|\.\w*)$/i.test(value);
  return plain ? value : JSON.stringify(value);
}

function jsAt(value: unknown, path: Path): unknown {
  return path.reduce<unknown>((at, step) => (at as Record<string | number, unknown> | undefined)?.[step], value);
}

function withValue(value: unknown, [step, ...rest]: Path, put: unknown): unknown {
  if (step === undefined) return put;
  if (Array.isArray(value))
    return value.map((part, at) => (at === step ? withValue(part, rest, put) : part) as unknown);
  const map = (value ?? {}) as Record<string, unknown>;
  return { ...map, [step]: withValue(map[step], rest, put) };
}

function checked(edited: string | undefined, wanted: unknown, path: Path): string {
  if (edited === undefined) throw refuse(path);
  const document = parseDocument(edited);
  if (document.errors.length > 0 || !isDeepStrictEqual(document.toJS(), wanted)) throw refuse(path);
  return edited;
}

const refuse = (path: Path): FleetError =>
  new FleetError(
    "conflict",
    `The roster is written in a way that ${path.join(".")} cannot be changed without touching more.`,
    {
      hint: "edit roster.yaml by hand, then: mosaic fleet plan",
    },
  );
