import { oddTexts } from "../texts.ts";

/** And what nobody should see, since a person's words are not touched. */
const odd = [...oddTexts, "\u202eturned \u0000\u0003 carriage\r\nreturn"];

/** The body of a sender's message of that number: 1 byte to 256 KiB, of every shape, the same in every run. */
export function bodyOf(sender: string, at: number): string {
  if (at % 500 === 499) return `${sender} ${at} ${"x".repeat(256 * 1024)}`.slice(0, 256 * 1024);
  if (at % 50 === 49) return `${sender} ${at} ${"y\n".repeat(4_000)}`;
  if (at % 97 === 96) return String.fromCharCode(33 + (at % 90));
  return `${sender} ${at} ${odd[at % odd.length] ?? ""}`;
}
