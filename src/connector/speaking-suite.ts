import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { describe, expect, onTestFinished, test } from "vitest";

import { clauses, setUpRig, soon } from "./suite-rig.ts";
import type { Lacks, Rig } from "./suite-rig.ts";

/** What goes out. */
export function speakingSuite(kind: string, rigOf: () => Promise<Rig>, lacks: Lacks): void {
  const needs = clauses(lacks);
  const setUp = () => setUpRig(rigOf);

  describe(`${kind} connector: speaking`, () => {
    test("a text arrives as it is, as an answer to what it answers", async () => {
      const { rig, send, text } = await setUp();
      const connector = rig.open();
      const question = await rig.say("owner", "well?");
      const words = "Yes: `a < b` & *c* @everyone\nline two ✓";
      const sent = await send(connector, text(words, { replyTo: question }));
      const shown = (await rig.shown()).find((one) => one.isOurs);
      expect(sent).toEqual({ kind: "sent", ids: [shown?.id] });
      expect(shown).toMatchObject({ text: words, replyTo: question });
    });

    needs("orphans")("an answer to what is gone is said all the same", async () => {
      const { rig, send, text } = await setUp();
      const out = text("no such question", { replyTo: "1234567890123456789" });
      expect(await send(rig.open(), out)).toMatchObject({ kind: "sent" });
      expect((await rig.shown()).map((shown) => shown.text)).toEqual(["no such question"]);
    });

    test("the same key twice is one message", async () => {
      const { rig, send, text } = await setUp();
      const out = text("once");
      const one = await send(rig.open(), out);
      const other = await send(rig.open(), out);
      expect(other).toEqual(one);
      expect((await rig.shown()).filter((shown) => shown.isOurs)).toHaveLength(1);
      expect(await send(rig.open(), text("once"))).not.toEqual(one);
    });

    needs("reset-after", "garbled")(
      "an outcome that is not known is said to be, and trying again doubles nothing",
      async () => {
        const { rig, send, text } = await setUp();
        const connector = rig.open();
        for (const what of ["reset-after", "garbled"] as const) {
          const out = text(what);
          await rig.trouble(what, 1);
          expect(await send(connector, out)).toMatchObject({ kind: "unknown" });
          expect(await send(connector, out)).toMatchObject({ kind: "sent" });
        }
        expect((await rig.shown()).filter((shown) => shown.isOurs).map((shown) => shown.text)).toEqual([
          "reset-after",
          "garbled",
        ]);
      },
    );

    needs("limited", "broken")("a limit or a fault of theirs is `later`, at the first attempt", async () => {
      const { rig, send, text } = await setUp();
      const connector = rig.open();
      await rig.trouble("limited", 1);
      const limited = await send(connector, text("now"));
      expect(limited).toMatchObject({ kind: "later", afterMs: expect.any(Number) as number });
      await rig.trouble("broken", 1);
      expect(await send(connector, text("now"))).toMatchObject({ kind: "later" });
      expect(await send(connector, text("at last"))).toMatchObject({ kind: "sent" });
      expect((await rig.shown()).map((shown) => shown.text)).toEqual(["at last"]);
    });

    needs("outage")("nobody there is `later`; silence is `unknown`, no later than asked", async () => {
      const { rig, send, text } = await setUp();
      const connector = rig.open();
      await rig.trouble("outage");
      expect(await send(connector, text("x"))).toMatchObject({ kind: "later" });
      await rig.mend("outage");
      if (lacks["half-open"] !== undefined) return;
      await rig.trouble("half-open");
      const began = performance.now();
      expect(await send(connector, text("y"), 300)).toMatchObject({ kind: "unknown" });
      expect(performance.now() - began).toBeLessThan(2_000);
      await rig.mend("half-open");
    });

    needs(
      "reset",
      "limited",
      "broken",
    )("faults while it listens end nothing", async () => {
      const { rig, listen, heard } = await setUp();
      for (const what of ["reset", "limited", "broken", "garbled"] as const) await rig.trouble(what, 2);
      const one = listen();
      await one.isUp();
      await rig.say("owner", "hello");
      await heard("hello");
    });

    test("as much as it says it takes it takes, and more is refused for good", async () => {
      const { rig, send, text } = await setUp();
      const connector = rig.open();
      const { maxText } = connector.capabilities;
      expect(await send(connector, text("x".repeat(maxText)))).toMatchObject({ kind: "sent" });
      expect(await send(connector, text("x".repeat(maxText + 1)))).toMatchObject({
        kind: "never",
        why: expect.stringMatching(/\w/) as string,
      });
    });

    test("a message of ours can be replaced, marked, and shown to be coming", async () => {
      const { rig, send, text } = await setUp();
      const connector = rig.open();
      const { edit, mark, typing } = connector.capabilities;
      const sent = await send(connector, text("working"));
      const ours = sent.kind === "sent" ? (sent.ids[0] ?? "") : "";
      const theirs = await rig.say("owner", "go");
      const at = { chat: rig.chat };
      if (edit) {
        expect(await send(connector, { ...at, kind: "edit", key: "e", message: ours, text: "done" })).toMatchObject({
          kind: "sent",
        });
        expect((await rig.shown()).find((one) => one.id === ours)?.text).toBe("done");
      }
      if (mark) {
        for (const one of ["heard", "heard", "done"] as const) {
          expect(await send(connector, { ...at, kind: "mark", key: one, message: theirs, mark: one })).toMatchObject({
            kind: "sent",
          });
        }
        expect((await rig.shown()).find((one) => one.id === theirs)?.marks).toEqual(["heard", "done"]);
        expect(
          await send(connector, { ...at, kind: "mark", key: "m", message: "1234567890123456789", mark: "heard" }),
        ).toMatchObject({ kind: "never" });
      }
      if (typing) {
        expect(await send(connector, { ...at, kind: "typing", key: "t" })).toMatchObject({ kind: "sent" });
        expect((await rig.typed()) ?? 1).toBe(1);
      }
    });

    needs("threads")("it answers in the thread", async () => {
      const { rig, send, text } = await setUp();
      const thread = await rig.newThread();
      expect(await send(rig.open(), text("here", { thread }))).toMatchObject({ kind: "sent" });
      expect((await rig.shown({ thread })).map((one) => one.text)).toEqual(["here"]);
    });

    needs("files")("a file arrives under its name, and a larger one than is taken does not", async () => {
      const { rig, send } = await setUp();
      const connector = rig.open();
      if (connector.capabilities.maxFile === 0) return;
      const folder = mkdtempSync(join(tmpdir(), "mosaic-connector-"));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const file = (size: number) => {
        writeFileSync(join(folder, "report"), "x".repeat(size));
        return {
          kind: "file",
          key: `${rig.chat} ${size}`,
          chat: rig.chat,
          path: join(folder, "report"),
          name: "report.txt",
          text: "see",
        } as const;
      };
      expect(await send(connector, file(10))).toMatchObject({ kind: "sent" });
      expect(await send(connector, file(10))).toMatchObject({ kind: "sent" });
      expect((await rig.shown()).map((one) => [one.text, one.files])).toEqual([
        ["see", [{ name: "report.txt", content: "x".repeat(10) }]],
      ]);
      expect(await send(connector, file(connector.capabilities.maxFile + 1))).toMatchObject({ kind: "never" });
      expect(await send(connector, { ...file(10), key: "g", path: join(folder, "none") })).toMatchObject({
        kind: "never",
      });
    });

    const choices = Array.from(
      { length: 7 },
      (_, at) => ({ id: `choice ${at}`, label: `No ${at}`, style: at === 0 ? "ok" : "plain" }) as const,
    );

    needs("choices")("choices are offered, and each press is one; a stranger's is none", async () => {
      const { rig, store, listen, send, text } = await setUp();
      const one = listen();
      await one.isUp();
      const sent = await send(one.connector, text("May I?", { choices }));
      const message = sent.kind === "sent" ? (sent.ids[0] ?? "") : "";
      expect((await rig.shown()).at(-1)?.choices).toEqual(choices.map((choice) => choice.id));
      await rig.press("stranger", message, "choice 1");
      const pressed = () => store.handedOn.map((row) => [row.kind, row.id, row.choice]);
      for (const [at, choice] of ["choice 6", "choice 6", "choice 0"].entries()) {
        await rig.press("owner", message, choice);
        await expect.poll(() => pressed().slice(at), soon).toEqual([["press", message, choice]]);
      }
      if (one.connector.capabilities.edit) {
        await send(one.connector, { kind: "edit", key: "e", chat: rig.chat, message, text: "Allowed." });
        expect((await rig.shown()).at(-1)?.choices).toEqual([]);
      }
    });

    needs("choices", "acknowledged")(
      "once a press is stored the person is told, and a stranger is told nothing",
      async () => {
        const { rig, listen, send, text } = await setUp();
        const one = listen();
        await one.isUp();
        const sent = await send(one.connector, text("May I?", { choices }));
        const message = sent.kind === "sent" ? (sent.ids[0] ?? "") : "";
        const strange = await rig.press("stranger", message, "choice 1");
        const told = await rig.press("owner", message, "choice 6");
        await expect.poll(told, soon).toBe(true);
        expect(await strange()).toBe(false);
      },
    );

    needs(
      "choices",
      "acknowledged",
      "echo",
      "resumption",
    )("a press that could not be stored is not acknowledged, and comes again", async () => {
      const { rig, store, listen, send, text } = await setUp();
      const dying = listen({ atAdmission: 2, isStored: false });
      await dying.isUp();
      // Its own message is the first admission, the press the second.
      const sent = await send(dying.connector, text("May I?", { choices: [{ id: "yes", label: "Yes", style: "ok" }] }));
      const message = sent.kind === "sent" ? (sent.ids[0] ?? "") : "";
      const told = await rig.press("owner", message, "yes");
      await dying.dead;
      await dying.stop();
      expect(await told()).toBe(false);
      expect(store.rows.size).toBe(0);
      listen();
      await expect.poll(() => store.handedOn.map((row) => row.choice), soon).toEqual(["yes"]);
      await expect.poll(told, soon).toBe(true);
    });
  });
}
