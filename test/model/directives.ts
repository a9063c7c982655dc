import type { Usage } from "./reply.ts";

/** One `[[verb args]]` out of a user's message. */
export type Directive =
  | { verb: "say"; text: string }
  | { verb: "bash"; command: string }
  | { verb: "write"; path: string; text: string }
  | { verb: "tool"; name: string; args: Record<string, unknown> }
  | { verb: "slow"; ms: number; text: string }
  | { verb: "recite"; length: number }
  | { verb: "hang" }
  | { verb: "error"; status: number; times: number; retryAfter: number | undefined }
  | { verb: "tokens"; usage: Usage }
  /** A known verb with arguments that make no sense: the model says so, or the mistake would look like an echo. */
  | { verb: "wrong"; source: string };

const opening = /^\[\[(say|bash|write|tool|slow|recite|hang|error|tokens)(?=\s|\]\])/;

/** Finds every directive in order. Unknown verbs and unbalanced brackets are ordinary text. */
export function parseDirectives(text: string): Directive[] {
  const found: Directive[] = [];
  let at = text.indexOf("[[");
  while (at >= 0) {
    const verb = opening.exec(text.slice(at, at + 12))?.[1];
    const end = verb === undefined ? undefined : closing(text, at);
    if (verb === undefined || end === undefined) {
      at = text.indexOf("[[", at + 1);
      continue;
    }
    // One blank parts the verb from its argument; everything after that blank is the argument, untouched.
    const argument = text.slice(at + 2 + verb.length + 1, end);
    found.push(understand(verb, argument) ?? { verb: "wrong", source: text.slice(at, end + 2) });
    at = text.indexOf("[[", end + 2);
  }
  return found;
}

/** Where the `]]` stands that closes the `[[` at `from`, counting the pairs between. */
function closing(text: string, from: number): number | undefined {
  let depth = 1;
  let at = from + 2;
  while (at < text.length) {
    const pair = text.slice(at, at + 2);
    if (pair === "[[") depth += 1;
    else if (pair === "]]") {
      // Of three closing brackets the first belongs to the argument: `[[say a[0]]]`.
      if (depth === 1 && text[at + 2] === "]") {
        at += 1;
        continue;
      }
      depth -= 1;
      if (depth === 0) return at;
    } else {
      at += 1;
      continue;
    }
    at += 2;
  }
  return undefined;
}

function understand(verb: string, argument: string): Directive | undefined {
  const [, head = "", rest = ""] = /^\s*(\S*)\s?([\s\S]*)$/.exec(argument) ?? [];
  switch (verb) {
    case "say":
      return { verb, text: argument };
    case "bash":
      return argument.trim() === "" ? undefined : { verb, command: argument };
    case "write":
      return head === "" ? undefined : { verb, path: head, text: rest };
    case "tool": {
      const args = parseArguments(rest);
      return head === "" || args === undefined ? undefined : { verb, name: head, args };
    }
    case "slow":
      return /^\d+$/.test(head) ? { verb, ms: Number(head), text: rest } : undefined;
    case "recite":
      return /^\d+\s*$/.test(argument) ? { verb, length: Number(argument) } : undefined;
    case "hang":
      return { verb };
    case "error": {
      const [, status, times, wait] = /^\s*([45]\d\d)(?:\s+(\d+))?(?:\s+(\d+))?\s*$/.exec(argument) ?? [];
      if (status === undefined) return undefined;
      const retryAfter = wait === undefined ? undefined : Number(wait);
      return { verb, status: Number(status), times: Number(times ?? 1), retryAfter };
    }
    case "tokens": {
      const [, input, output] = /^\s*(\d+)\s+(\d+)\s*$/.exec(argument) ?? [];
      return input === undefined ? undefined : { verb, usage: { input: Number(input), output: Number(output) } };
    }
    default:
      return undefined;
  }
}

function parseArguments(source: string): Record<string, unknown> | undefined {
  if (source.trim() === "") return {};
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return Object.fromEntries(Object.entries(value));
  } catch {
    return undefined;
  }
}
