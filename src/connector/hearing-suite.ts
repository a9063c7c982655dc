import { describe, expect, test } from "vitest";

import type { Inbound } from "./connector.ts";
import { clauses, setUpRig, soon } from "./suite-rig.ts";
import type { Lacks, Rig } from "./suite-rig.ts";

/** What comes in. */
export function hearingSuite(kind: string, rigOf: () => Promise<Rig>, lacks: Lacks): void {
  const needs = clauses(lacks);
  const setUp = () => setUpRig(rigOf);

  describe(`${kind} connector: hearing`, () => {
    test("what is said is stored, once, in order, with who, where and when", async () => {
      const { rig, store, listen, heard } = await setUp();
      await listen().isUp();
      const before = Date.now();
      const id = await rig.say("owner", "one");
      await rig.say("owner", "two", { replyTo: id });
      await heard("one", "two");
      const [one, two] = store.handedOn;
      expect(one).toMatchObject({
        chat: rig.chat,
        id,
        kind: "message",
        isDirect: false,
        speaker: { id: rig.owner, isBot: false, isSelf: false },
      });
      expect(Math.abs((one?.at ?? 0) - before)).toBeLessThan(10_000);
      expect(two?.replyTo).toBe(id);
    });

    needs("absence")("what was said before it ever came is not taken, what was said while it was away is", async () => {
      const { rig, listen, heard } = await setUp();
      await rig.say("owner", "old");
      const first = listen();
      await first.isUp();
      await first.stop();
      await rig.say("owner", "missed");
      await rig.trouble("lost-session").catch(() => {});
      await listen().isUp();
      await rig.say("owner", "new");
      await heard("missed", "new");
    });

    needs("changes")("an edit and a deletion are told of, with the message's id and in their place", async () => {
      const { rig, store, listen, heard } = await setUp();
      await listen().isUp();
      const id = await rig.say("owner", "firts");
      await rig.say("owner", "second");
      await heard("firts", "second");
      await rig.edit(id, "first");
      await rig.say("owner", "third");
      await rig.remove(id);
      await heard("firts", "second", "first", "third", "");
      const told = store.handedOn;
      expect(told.map((row) => row.kind)).toEqual(["message", "message", "edit", "message", "delete"]);
      expect(told.filter((row) => row.kind !== "message").map((row) => row.id)).toEqual([id, id]);
      const orders = told.map((row) => row.order);
      const sorted = orders.toSorted((one, other) => (one < other ? -1 : 1));
      expect(orders, "the order never falls").toEqual(sorted);
      expect(orders[1], "an edit is no older than what was said before it").toBeLessThanOrEqual(orders[2] ?? 0n);
    });

    needs("direct")("a direct message is one, also the first of all when it came while we were away", async () => {
      const { rig, store, listen, heard } = await setUp();
      const first = listen();
      await first.isUp();
      await first.stop();
      await rig.trouble("lost-session").catch(() => {});
      await rig.say("owner", "psst", { isDirect: true });
      await listen().isUp();
      await heard("psst");
      expect(store.handedOn[0]).toMatchObject({ isDirect: true, chat: await rig.directChat("owner") });
    });

    needs("threads")("a thread belongs to its channel", async () => {
      const { rig, store, listen, heard } = await setUp();
      const thread = await rig.newThread();
      await listen().isUp();
      await rig.say("owner", "below", { thread });
      await rig.say("owner", "above");
      await heard("below", "above");
      expect(store.handedOn.map((row) => [row.chat, row.thread])).toEqual([
        [rig.chat, thread],
        [rig.chat, undefined],
      ]);
    });

    needs("threads", "new-threads")("also a thread that is begun while we listen", async () => {
      const { rig, store, listen, heard } = await setUp();
      await listen().isUp();
      const thread = await rig.newThread();
      await rig.say("owner", "below", { thread });
      await heard("below");
      expect(store.handedOn.map((row) => [row.chat, row.thread])).toEqual([[rig.chat, thread]]);
    });

    needs("threads", "missed-threads")("what was said in a thread while we were away is fetched", async () => {
      const { rig, store, listen, heard } = await setUp();
      const thread = await rig.newThread();
      const first = listen();
      await first.isUp();
      await rig.say("owner", "live", { thread });
      await heard("live");
      await first.stop();
      await rig.trouble("lost-session").catch(() => {});
      await rig.say("owner", "above");
      await rig.say("owner", "below", { thread });
      await listen().isUp();
      await heard("live", "above", "below");
      expect(store.handedOn.map((row) => [row.chat, row.thread])).toEqual([
        [rig.chat, thread],
        [rig.chat, undefined],
        [rig.chat, thread],
      ]);
    });

    needs("strangers")("our own words come back as our own, and nobody else's do", async () => {
      const { rig, listen, send, text } = await setUp();
      const seen: Inbound[] = [];
      const one = listen();
      const admit = one.intake.admit.bind(one.intake);
      one.intake.admit = (batch, cursor) => {
        seen.push(...batch);
        return admit(batch, cursor);
      };
      await one.isUp();
      await send(one.connector, text("from us"));
      await rig.say("stranger", "from a stranger");
      await expect.poll(() => seen.map((row) => row.text), soon).toContain("from a stranger");
      // A platform that does not repeat our own words to us is well too.
      for (const row of seen) expect(row.speaker.isSelf, row.text).toBe(row.text === "from us");
    });
  });
}
