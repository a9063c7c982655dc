import * as z from "zod";

import { messageStates, sendModes, senderKinds } from "./message-names.ts";

/** One message and how far it got. Bodies are whole; a list may leave them out. */
export const Message = z.object({
  id: z.string(),
  to: z.string(),
  from: z.object({ kind: z.enum(senderKinds), name: z.string() }),
  mode: z.enum(sendModes),
  text: z.string(),
  state: z.enum(messageStates),
  /** Why it waits, is held, or failed. */
  reason: z.string().nullable(),
  at: z.iso.datetime(),
  changed_at: z.iso.datetime(),
  delivered_at: z.iso.datetime().nullable(),
  answered_at: z.iso.datetime().nullable(),
  /** The final text of the turn that it caused. */
  answer: z.string().nullable(),
  reply_to: z.string().nullable(),
  expires_at: z.iso.datetime().nullable(),
  attempts: z.number(),
});
export type Message = z.infer<typeof Message>;
