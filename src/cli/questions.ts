import { cancel, confirm, password } from "@clack/prompts";

import { isToken } from "../fleet/credentials.ts";
import { FleetError } from "../lib/errors.ts";

/** Questions are for people, so they go where people's words go. */
export const output = process.stderr;

/** A question with yes or no. */
export const agreed = (message: string, initialValue = false): Promise<boolean> =>
  answered(confirm({ message, initialValue, output }));

/** A question whose answer is not shown: one word, or none. */
export async function askSecret(message: string): Promise<string> {
  const validate = (value: string | undefined) =>
    isToken((value ?? "").trim() || "later") ? undefined : "A token is one word, of plain letters, digits and signs.";
  const given: string | undefined = await answered(password({ message, validate, output }));
  return given?.trim() ?? ""; // nothing typed at all is no string for the library
}

/** What a check has against an answer, as its question says it; undefined where it is right. */
export function complaint(check: () => unknown): string | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The answer. Ctrl-C ends everything, and nothing was written. */
export async function answered<T>(question: Promise<T>): Promise<Exclude<T, symbol>> {
  const answer = await question;
  if (typeof answer !== "symbol") return answer as Exclude<T, symbol>;
  cancel("Cancelled.", { output });
  throw new FleetError("cancelled", "Nothing was written.");
}
