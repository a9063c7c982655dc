import type { Wiring } from "../../contract/connector.ts";
import type { Word } from "../connector.ts";
import type { Patient } from "./backfill.ts";

/** Discord's number for an option that is text. */
const textOption = 3;

interface Entry {
  name: string;
  description: string;
  options: { type: number; name: string; description: string; required: boolean }[];
}

/** Where a bot's slash commands are: on its server, or, wired to none, everywhere. */
export const menuPath = (application: string, { guild }: Pick<Wiring, "guild">): string =>
  guild === undefined
    ? `/applications/${application}/commands`
    : `/applications/${application}/guilds/${guild}/commands`;

/**
 * Puts the words into Discord's own menu, as far as they do not stand there: making one counts against a limit of 200 a day.
 * Other commands of the bot are left alone. Returns why it could not, if so; everything works without.
 */
export async function fillMenu(words: readonly Word[], path: string, ask: Patient): Promise<string | undefined> {
  const answer = await ask({ method: "GET", path });
  if (answer.kind === "never") return answer.why;
  const there = new Set((Array.isArray(answer.body) ? (answer.body as Partial<Entry>[]) : []).map(markOf));
  for (const entry of words.map(entryOf)) {
    if (there.has(markOf(entry))) continue;
    const made = await ask({ method: "POST", path, body: { type: 1, ...entry } });
    if (made.kind === "never") return made.why;
  }
  return undefined;
}

const entryOf = ({ word, about, wants }: Word): Entry => ({
  name: word,
  description: about,
  options: wants.map((want) => ({
    type: textOption,
    name: want.name,
    description: want.about,
    required: want.isNeeded,
  })),
});

/** What tells two entries apart. Discord leaves out what is usual. */
const markOf = ({ name, description, options = [] }: Partial<Entry>): string =>
  JSON.stringify([
    name,
    description,
    options.map((one) => [one.type, one.name, one.description, (one as { required?: boolean }).required ?? false]),
  ]);
