import type { Asker } from "../contract/command.ts";

/**
 * What the receiver reads. A person's words stay exactly as they were written; an agent's come with who wrote them, so
 * that the receiver knows whom to answer and does not take a colleague's request for its owner's order.
 */
export function frame(by: Asker, id: string, text: string): string {
  if (by.kind === "person") return text;
  return `Message ${id} from ${by.name}, another agent of your fleet (answer with: mosaic fleet send ${by.name} "…"):\n\n${text}`;
}
