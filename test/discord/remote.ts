import type { DiscordControls } from "./controls.ts";

/** The controls of a double that runs in another process; `url` is what it says when it starts. */
export function remoteDiscord(url: string): DiscordControls {
  const base = url.replace(/\/api$/, "/control/");
  const ask = async (name: string, given: unknown[]): Promise<unknown> => {
    const response = await fetch(base + name, { method: "POST", body: JSON.stringify(given) });
    if (!response.ok) throw new Error(`The double refuses ${name}: ${response.status} ${await response.text()}`);
    return (await response.json()) ?? undefined;
  };
  return new Proxy({} as DiscordControls, {
    get: (_, name) =>
      typeof name === "string" && name !== "then" ? (...given: unknown[]) => ask(name, given) : undefined,
  });
}
