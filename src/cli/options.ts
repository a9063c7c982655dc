import { platforms } from "../contract/connector.ts";
import { FleetError } from "../lib/errors.ts";

/** What can be connected; the console always is. */
export const chatServices = platforms.filter((one) => one !== "console");

export const jsonFlag = ["--json", "print the stable JSON contract"] as const;
export const examples = (...lines: string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ mosaic fleet ${line}\n`).join("")}`;

/** A time as people write it, in ms. */
export function duration(text: string): number {
  const [, count, unit] = /^([1-9]\d{0,5})(s|m|h|d)$/.exec(text) ?? [];
  const units = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
  if (count !== undefined) return Number(count) * units[unit as keyof typeof units];
  throw new FleetError("usage", `${text} is not a time.`, { hint: "give it as 30s, 10m, 2h or 1d" });
}

export function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text))
    throw new FleetError("usage", `${text} is not a number of lines.`, { hint: "give 1 or more, as in: -n 50" });
  return Number(text);
}
