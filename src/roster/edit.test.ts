import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";

import { addAgent, addEntry, removeAgent, removeEntry, setValue } from "./edit.ts";

const styles = {
  "block with comments": `# my fleet
version: 1
fleet:   acme      # two  spaces stay
x-own: {a:  1}
agents:
  # the boss
  - name: mos      # orchestrator
    role: orchestrator
    runtime: pi
    prompt: |
      You lead.

      Be brief.

  # writes code
  - name: co
    runtime: pi
    workdir: "~/src"

  # a sample, off
  # - name: off
`,
  "flow items": `version: 1
fleet: acme
agents:
  - { name: mos, role: orchestrator, runtime: claude, workdir: ~/src }
  - { name: co,   runtime: pi }   # keep
# end`,
  "one flow list": `{version: 1, fleet: acme, agents: [ {name: mos, role: orchestrator, runtime: pi}, {name: co, runtime: pi} ]}`,
  "dashes at the margin, no last line break": `version: 1
fleet: acme
agents:
- name: mos
  role: orchestrator
  runtime: pi
- name: co
  runtime: pi
  prompt: |
    last
    lines`,
  "windows line breaks":
    "version: 1\r\nfleet: acme\r\nagents:\r\n  - name: mos # x\r\n    runtime: pi\r\n  - name: co\r\n    runtime: pi\r\n",
};

describe.for(Object.entries(styles))("%s", ([, text]) => {
  const entry = fc.record(
    {
      name: fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/).map((name) => `z${name}`),
      runtime: fc.constantFrom("pi", "command"),
      prompt: fc
        .string({ maxLength: 80, unit: "binary" })
        .map((part) => part.replaceAll(/[^\x20-\x7e\u00a1-\uffef\n]|[\ud800-\udfff]/g, "")),
      workdir: fc.constantFrom("~", "~/a b", "/x: y", "yes", "#no"),
      args: fc.array(fc.constantFrom("-x", "a, b", "{}", "[", '"')),
    },
    { requiredKeys: ["name", "runtime"] },
  );

  test("removing what was added gives the same bytes, whatever was added", () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 3 }), (entries) => {
        const unique = entries.map((one, at) => ({ ...one, name: `${one.name}${at}` }));
        const grown = unique.reduce(addAgent, text);
        expect((parse(grown) as { agents: unknown[] }).agents.slice(2)).toEqual(unique);
        expect(unique.reduceRight((now, one) => removeAgent(now, one.name), grown)).toBe(text);
      }),
    );
  });

  test("setting a value changes that value only; setting it back gives the same bytes", () => {
    const longer = setValue(text, ["fleet"], "other-fleet");
    expect(longer).not.toBe(text);
    expect(setValue(longer, ["fleet"], "acme")).toBe(text);
    expect(setValue(text, ["agents", 1, "runtime"], "pi")).toBe(text);
  });

  test("a missing key is added, and every line that stood is still there in its order", () => {
    const edited = setValue(setValue(text, ["supervisor"], "builtin"), ["agents", 0, "model"], "a/b: c");
    const value = parse(edited) as { supervisor: string; agents: { model: string }[] };
    expect([value.supervisor, value.agents[0]?.model]).toEqual(["builtin", "a/b: c"]);
    let at = 0;
    for (const word of text.split(/[\s{}[\],]+/).filter(Boolean)) {
      at = edited.indexOf(word, at);
      expect(at, word).toBeGreaterThanOrEqual(0);
    }
  });

  test("the text of a prompt may become one line and many lines again", () => {
    const many = setValue(text, ["agents", 1, "prompt"], "one\ntwo: #3\n\nfour\n");
    expect((parse(many) as { agents: { prompt: string }[] }).agents[1]?.prompt).toBe("one\ntwo: #3\n\nfour\n");
    const one = setValue(many, ["agents", 1, "prompt"], "short");
    expect((parse(one) as { agents: { prompt: string }[] }).agents[1]?.prompt).toBe("short");
  });

  test("removing an agent leaves the others' bytes", () => {
    const left = removeAgent(text, "co");
    expect((parse(left) as { agents: unknown[] }).agents).toHaveLength(1);
    expect(text.startsWith(left.slice(0, 40))).toBe(true);
    const first = removeAgent(text, "mos");
    expect((parse(first) as { agents: { name: string }[] }).agents[0]?.name).toBe("co");
  });
});

test("the comment above an agent leaves with it, other comments stay", () => {
  const left = removeAgent(styles["block with comments"], "co");
  expect(left).not.toContain("writes code");
  expect(left).toContain("# the boss");
  expect(left).toContain("# a sample, off");
});

test("an agent that is not there is named", () => {
  expect(() => removeAgent(styles["flow items"], "nobody")).toThrow("No agent is named nobody.");
});

test("what is added to a file with windows line breaks has them too", () => {
  const text = styles["windows line breaks"];
  const grown = setValue(addAgent(text, { name: "zz", runtime: "pi", prompt: "a\nb\n" }), ["supervisor"], "auto");
  expect(grown.replaceAll("\r\n", "")).not.toContain("\n");
});

describe.for(Object.entries(styles))("an entry of a map, %s", ([, text]) => {
  const entry = { guild: "123456789012345678", channels: ["1"], mention: false };

  test("added is there and nothing else has changed; removed, the text is as it was", () => {
    const once = addEntry(text, "connectors", "discord", entry);
    expect(parse(once)).toEqual({ ...(parse(text) as object), connectors: { discord: entry } });
    for (const line of text.split("\n")) if (!line.startsWith("{")) expect(once).toContain(line);
    const twice = addEntry(once, "connectors", "other", { ...entry, owners: ["7"] });
    expect(parse(twice)).toMatchObject({ connectors: { discord: entry, other: { owners: ["7"] } } });
    expect(parse(removeEntry(twice, "connectors", "discord"))).toMatchObject({
      connectors: { other: { owners: ["7"] } },
    });
    expect(removeEntry(twice, "connectors", "other")).toBe(once);
    expect(removeEntry(once, "connectors", "discord").trimEnd()).toBe(text.trimEnd());
  });
});
