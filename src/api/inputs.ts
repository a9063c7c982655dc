import * as z from "zod";

import { roles } from "../contract/agent.ts";
import type { Command } from "../contract/command.ts";
import { sendModes } from "../contract/message-names.ts";

const name = z.string().min(1).max(64);
const id = z.string().min(1).max(200);

/** Somebody from outside is a person of this machine or an agent with its token; who speaks in a chat only the chat knows. */
const by = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("person") }),
  z.strictObject({ kind: z.literal("agent"), name, token: z.string().optional() }),
]);

const Checked = z.discriminatedUnion("do", [
  z.strictObject({
    do: z.enum(["start", "stop", "restart"]),
    by,
    agents: z.union([z.literal("all"), z.array(name)]),
  }),
  z.strictObject({
    do: z.literal("send"),
    by,
    to: z.union([z.literal("all"), z.array(name), z.strictObject({ role: z.enum(roles) })]),
    text: z.string(),
    mode: z.enum(sendModes),
    id: id.optional(),
    key: id.optional(),
    replyTo: id.optional(),
    expireMs: z.int().positive().optional(),
    wait: z.strictObject({ for: z.enum(["delivered", "answered"]), ms: z.int().nonnegative() }).optional(),
  }),
  z.strictObject({ do: z.enum(["retry", "cancel"]), by, message: id }),
  z.strictObject({
    do: z.literal("answer"),
    by,
    id,
    decision: z.union([
      z.enum(["allow", "deny"]),
      z.strictObject({ answers: z.array(z.string().max(10_000)).max(20) }),
    ]),
  }),
  z.strictObject({ do: z.literal("interrupt"), by, agent: name }),
  z.strictObject({ do: z.enum(["apply", "install", "uninstall"]), by }),
]);

/** A Command as it comes from another process: checked whole, and nothing unknown in it. */
export const CommandInput: { parse(input: unknown): Command } = {
  parse: (input) => {
    const { by: asker, ...rest } = Checked.parse(input);
    return {
      ...rest,
      by: asker.kind === "person" ? asker : { kind: "agent", name: asker.name, token: asker.token },
    };
  },
};

/** A line of this machine's own chat, and a choice that was taken there. */
export const SaidInput = z.strictObject({
  id: z.string().min(1).max(100),
  text: z.string().max(1024 * 1024),
  replyTo: z.string().max(200).optional(),
});
export const ChoiceInput = z.strictObject({
  id: z.string().min(1).max(100),
  message: z.string().max(200),
  choice: z.string().max(100),
});
