/** What the storm's processes say to each other: one JSON line each way on a unix socket. */
export type Ask = { do: "submit"; id: string; text: string } | { do: "trace"; ids: readonly string[] } | { do: "gate" };

export type Reply = { state: "delivered" | "queued" } | { seen: string[] } | { run: string; open: boolean };
