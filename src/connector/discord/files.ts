import { FleetError } from "../../lib/errors.ts";
import type { Attachment } from "../connector.ts";
import { readAtMost } from "./rest.ts";

const discordHosts = ["https://cdn.discordapp.com", "https://media.discordapp.net"];

/** A file's content. Only Discord's own hosts are asked, without the token, and no other is followed to. */
export async function fetchFile(
  file: Attachment,
  limits: { base: string; atMostBytes: number; signal: AbortSignal },
): Promise<Uint8Array> {
  const origin = URL.canParse(file.url) ? new URL(file.url).origin : "";
  if (![...discordHosts, new URL(limits.base).origin].includes(origin)) {
    throw new FleetError("conflict", `The file ${file.name} is not at Discord, so it is not fetched.`);
  }
  const tooLarge = () =>
    new FleetError("conflict", `The file ${file.name} is larger than the ${limits.atMostBytes} bytes that are taken.`);
  if (file.bytes > limits.atMostBytes) throw tooLarge();
  try {
    const response = await fetch(file.url, { redirect: "error", signal: limits.signal });
    if (response.ok) return await readAtMost(response, limits.atMostBytes);
    await response.body?.cancel();
    const code = response.status === 404 ? "not-found" : "unreachable";
    throw new FleetError(code, `Discord does not hand out the file ${file.name} (${response.status}).`);
  } catch (error) {
    if (error instanceof FleetError) throw error;
    if (error instanceof RangeError) throw tooLarge();
    throw new FleetError("unreachable", `The file ${file.name} could not be fetched.`);
  }
}
