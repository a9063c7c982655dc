import { describe, expect, test } from "vitest";

import { FleetError } from "../lib/errors.ts";
import { pause } from "../lib/wait.ts";
import { clauses, setUpRig, soon } from "./suite-rig.ts";
import type { Lacks, Rig } from "./suite-rig.ts";

/** What survives deaths and outages. */
export function durabilitySuite(kind: string, rigOf: () => Promise<Rig>, lacks: Lacks): void {
  const needs = clauses(lacks);
  const setUp = () => setUpRig(rigOf);

  describe(`${kind} connector: nothing lost, doubled or out of order`, () => {
    needs("lost-session")("a process killed at random moments, with and without its session", async () => {
      const { rig, store, listen, texts } = await setUp();
      const first = listen();
      await first.isUp();
      await first.stop();
      const said: string[] = [];
      const saying = (async () => {
        for (let at = 0; at < 200; at++) {
          const words = `message ${at}`;
          said.push(words);
          await rig.say("owner", words);
          // The pace of the talk, so that deaths fall among it.
          await pause(Math.random() * 12);
        }
      })();
      const talk = new AbortController();
      void saying.finally(() => talk.abort());
      let deaths = 0;
      while (!talk.signal.aborted) {
        if (Math.random() < 0.5) await rig.trouble("lost-session");
        const one = listen({ atAdmission: 1 + Math.floor(Math.random() * 12), isStored: Math.random() < 0.5 });
        await Promise.race([one.dead, saying]);
        one.kill();
        await one.stop();
        deaths++;
      }
      await saying;
      listen();
      await expect.poll(() => store.handedOn.length, soon).toBe(said.length);
      expect(texts()).toEqual(said);
      expect(deaths).toBeGreaterThan(5);
    });

    needs("lost-session")("a process that dies while it fetches what it missed fetches it again", async () => {
      const { rig, listen, heard } = await setUp();
      const first = listen();
      await first.isUp();
      await first.stop();
      await rig.trouble("lost-session");
      const said = Array.from({ length: 250 }, (_, at) => `missed ${at}`);
      for (const words of said) await rig.say("owner", words);
      // After the first page, with and without that page.
      for (const isStored of [false, true]) {
        const dying = listen({ atAdmission: isStored ? 2 : 1, isStored });
        await dying.dead;
        await dying.stop();
      }
      listen();
      await heard(...said);
    });

    test("what a process stored and died over is handed on by the next, without anything new", async () => {
      const { rig, store, listen, heard } = await setUp();
      const dying = listen({ atAdmission: 1, isStored: true });
      await dying.isUp();
      await rig.say("owner", "last words");
      await dying.dead;
      await dying.stop();
      expect([store.rows.size, store.handedOn.length]).toEqual([1, 0]);
      listen();
      await heard("last words");
    });

    needs("outage", "lost-session")("an outage, while which is talked on", async () => {
      const { rig, listen, heard } = await setUp();
      const one = listen();
      await one.isUp();
      await rig.trouble("outage");
      await rig.say("owner", "while away");
      await expect.poll(() => one.healths.at(-1)?.state, soon).toBe("degraded");
      await rig.trouble("lost-session");
      await rig.mend("outage");
      await rig.say("owner", "back");
      await one.isUp();
      await heard("while away", "back");
    });

    needs("outage")("it is not there yet when we come", async () => {
      const { rig, listen, heard } = await setUp();
      await rig.trouble("outage");
      const one = listen();
      await expect.poll(() => one.healths.at(-1)?.state, soon).toBe("degraded");
      await rig.mend("outage");
      await one.isUp();
      await rig.say("owner", "hello");
      await heard("hello");
    });

    needs("half-open")("a connection that stands and says nothing is noticed", async () => {
      const { rig, listen, heard } = await setUp();
      const one = listen();
      await one.isUp();
      await rig.trouble("half-open");
      await rig.say("owner", "into silence");
      await expect.poll(() => one.healths.at(-1)?.state, soon).not.toBe("up");
      await rig.mend("half-open");
      await one.isUp();
      await heard("into silence");
    });

    needs("cut")("a connection that is cut again and again, with its session kept", async () => {
      const { rig, listen, heard } = await setUp();
      await listen().isUp();
      const said = Array.from({ length: 20 }, (_, at) => `said ${at}`);
      for (const [at, words] of said.entries()) {
        if (at % 5 === 4) await rig.trouble("cut");
        await rig.say("owner", words);
      }
      await heard(...said);
    });

    needs("duplicates")("what comes twice is handed on once", async () => {
      const { rig, listen, heard } = await setUp();
      await listen().isUp();
      await rig.trouble("duplicates", 3);
      for (const words of ["a", "b", "c", "d"]) await rig.say("owner", words);
      await heard("a", "b", "c", "d");
    });

    needs("disorder")("what comes late is not taken for old", async () => {
      const { rig, listen, texts } = await setUp();
      await listen().isUp();
      await rig.trouble("disorder", 3);
      for (const words of ["a", "b", "c"]) await rig.say("owner", words);
      await expect.poll(() => texts().toSorted(), soon).toEqual(["a", "b", "c"]);
    });

    // Without a resumption the very first admission is of what is fetched, and not of what comes the wrong way round.
    needs(
      "disorder",
      "lost-session",
      "resumption",
    )("nor is it after a kill", async () => {
      const { rig, listen, texts } = await setUp();
      const first = listen();
      await first.isUp();
      await rig.say("owner", "c");
      await expect.poll(() => texts(), soon).toEqual(["c"]);
      await first.stop();
      // Of two that come the wrong way round it dies after the first.
      const dying = listen({ atAdmission: 1, isStored: true });
      await dying.isUp();
      await rig.trouble("disorder", 2);
      for (const words of ["d", "e"]) await rig.say("owner", words);
      await dying.dead;
      await dying.stop();
      await rig.trouble("lost-session");
      listen();
      await expect.poll(() => texts().toSorted(), soon).toEqual(["c", "d", "e"]);
    });

    needs("liveness")("health says when it last lived", async () => {
      const { listen } = await setUp();
      const one = listen();
      await one.isUp();
      await expect.poll(() => one.healths.at(-1)?.aliveAt, soon).toBeTypeOf("number");
      const first = one.healths.at(-1)?.aliveAt ?? 0;
      await expect.poll(() => one.healths.at(-1)?.aliveAt, soon).toBeGreaterThan(first);
      await one.stop();
      expect(one.healths.at(-1)?.state).toBe("stopped");
    });

    needs("revoked")("a token that is refused ends it, with a sentence for the person and no loop", async () => {
      const { rig, listen, send, text } = await setUp();
      const one = listen();
      await one.isUp();
      await rig.trouble("revoked");
      const error = await one.ended;
      expect(error).toBeInstanceOf(FleetError);
      expect(error).toMatchObject({
        message: expect.stringMatching(/token/) as string,
        hint: expect.any(String) as string,
      });
      expect(one.healths.at(-1)?.state).toBe("needs-auth");
      expect(await send(one.connector, text("now"))).toMatchObject({ kind: "never" });
    });

    needs("revoked")("a refused request is enough to know", async () => {
      const { rig, send, text, listen } = await setUp();
      const one = listen();
      await rig.trouble("revoked");
      expect(await send(one.connector, text("now"))).toMatchObject({ kind: "never" });
      expect(await one.ended).toBeInstanceOf(FleetError);
      expect(one.healths.at(-1)?.state).toBe("needs-auth");
    });
  });
}
