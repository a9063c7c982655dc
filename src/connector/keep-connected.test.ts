import { expect, onTestFinished, test } from "vitest";

import type { Health } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";
import { keepConnected, type Link, type Over } from "./keep-connected.ts";

const waits = { baseMs: 1, capMs: 2, redialMs: 2, steadyMs: 60_000 };

/** One connection after another, each as it is told; the last one hangs until the end. */
function keep(connections: ((link: Link) => Over | Promise<Over>)[], pace = waits) {
  const [stop, revoke] = [new AbortController(), new AbortController()];
  const healths: Health[] = [];
  let dials = 0;
  const parts = { signal: stop.signal, revoked: revoke.signal, whyRevoked: "The token is refused.", account: "home" };
  const ended = keepConnected({ ...parts, waits: pace, tell: (health) => void healths.push(health) }, async (link) => {
    const next = connections[dials++];
    if (next !== undefined) return next(link);
    await new Promise<void>((resolve) => link.signal.addEventListener("abort", () => resolve(), { once: true }));
    return { why: "stopped" };
  }).then(
    () => "stopped",
    (error: unknown) => error,
  );
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  const states = () => healths.map(({ state, detail }) => (detail === undefined ? state : `${state}: ${detail}`));
  return { stop, revoke, ended, states, dials: () => dials };
}
const fails = (why: string) => (): Over => ({ why });

test("a passing thing is `connecting`, a lasting one `degraded`, and whoever is up begins to count anew", async () => {
  const up = (link: Link): Over => {
    link.up([]);
    return { why: "cut" };
  };
  const one = keep([fails("a"), fails("b"), fails("c"), fails("d"), up]);
  await expect.poll(one.dials).toBe(6);
  one.stop.abort();
  expect(await one.ended).toBe("stopped");
  const expected = [
    "connecting",
    "connecting: a",
    "connecting: b",
    "connecting: c",
    "degraded: d",
    "up",
    "connecting: cut",
  ];
  expect(one.states().filter((state, at, all) => state !== all[at - 1])).toEqual([...expected, "stopped"]);
});

test("what a person must mend ends it, said by the service or found out; anything else is tried again", async () => {
  const closed = keep([() => ({ why: "closed", mend: "Switch it on." })]);
  expect(await closed.ended).toMatchObject({
    code: "conflict",
    message: "Switch it on.",
    hint: "mosaic fleet connect test home",
  });
  const found = keep([
    () => Promise.reject(new FleetError("conflict", "no space is left on the disk")),
    (link) => Promise.reject(link.refuse("No such channel.")),
  ]);
  expect(await found.ended).toMatchObject({ message: "No such channel." });
  expect([found.dials(), found.states().at(-1)]).toEqual([2, "needs-auth: No such channel."]);
});

test("a token that is refused ends it also while it waits for the next try", async () => {
  const hour = 3_600_000;
  const one = keep([fails("away")], { ...waits, baseMs: hour, capMs: hour });
  await expect.poll(one.states).toContain("connecting: away");
  one.revoke.abort();
  expect(await one.ended).toMatchObject({ message: "The token is refused." });
  expect([one.dials(), one.states().at(-1)]).toEqual([1, "needs-auth: The token is refused."]);
});

test("where nobody answers it dials again soon, however long the other waits are", async () => {
  const day = 86_400_000;
  const silent = (): Over => ({ why: "nobody there", greeted: false });
  const one = keep([silent, silent, silent, silent], { ...waits, baseMs: day, capMs: day });
  await expect.poll(one.dials).toBe(5);
});
