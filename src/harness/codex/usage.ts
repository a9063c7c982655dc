import { lastLines } from "../../lib/last-lines.ts";

/** How much of its context a conversation fills, and the account's limits, as Codex last wrote them down. */
export interface Usage {
  /** In percent of the model's window. */
  context?: number;
  limits: readonly { usedPercent: number; resetsAt: number | undefined }[];
}

interface Window {
  used_percent: number;
  resets_at?: number | null;
}
interface TokenCount {
  payload?: {
    info?: { last_token_usage?: { total_tokens: number }; model_context_window?: number | null } | null;
    rate_limits?: { primary?: Window | null; secondary?: Window | null } | null;
  };
}

/** Reads the newest token count of a rollout: the app-server tells it only to those who listen when it changes. */
export function readUsage(file: string | undefined): Usage | undefined {
  const newest = file === undefined ? undefined : lastLines(file).findLast((line) => line.includes('"token_count"'));
  return newest === undefined ? undefined : parseUsage(newest);
}

export function parseUsage(line: string): Usage | undefined {
  let row: TokenCount;
  try {
    row = JSON.parse(line) as TokenCount;
  } catch {
    return undefined; // it is being written
  }
  const { info, rate_limits: limits } = row.payload ?? {};
  const used = info?.last_token_usage?.total_tokens;
  const window = info?.model_context_window;
  return {
    ...(used !== undefined && window && { context: Math.min(100, Math.round((used / window) * 100)) }),
    limits: [limits?.primary, limits?.secondary].flatMap((one) =>
      one ? [{ usedPercent: one.used_percent, resetsAt: one.resets_at ?? undefined }] : [],
    ),
  };
}
