/**
 * The part of Pi's extension API that we use, as measured on 0.87.1 and 1.5.2. Written here because Pi is
 * not a dependency: the extension is loaded by whatever Pi the user has.
 */
export interface PiContext {
  mode: string;
  cwd: string;
  isIdle(): boolean;
  abort(): void;
  shutdown(): void;
  /** Of the running turn: aborted when that is interrupted. */
  signal?: AbortSignal | undefined;
  model?: { id: string; provider: string } | undefined;
  sessionManager: {
    getSessionId(): string;
    getSessionFile(): string | undefined;
    getBranch(): readonly { type: string; message?: PiMessage }[];
  };
  getContextUsage(): { tokens: number | null; percent: number | null } | undefined;
  ui: {
    setStatus(key: string, text: string | undefined): void;
    getEditorText(): string;
    setEditorText(text: string): void;
    /** False where it was put away too, by a person or by the signal. */
    confirm(title: string, message: string, options: { signal: AbortSignal }): Promise<boolean>;
  };
}

export interface PiMessage {
  role: string;
  content: string | readonly { type: string; text?: string }[];
  timestamp?: number;
  stopReason?: string;
  errorMessage?: string;
}

type Handler<E, R = unknown> = (event: E, context: PiContext) => R | Promise<R> | undefined;

export interface PiApi {
  on(event: "session_start" | "session_shutdown", handler: Handler<{ reason: string }>): void;
  on(event: "agent_start" | "agent_settled" | "model_select" | "turn_end", handler: Handler<object>): void;
  on(event: "session_before_compact" | "session_compact" | "session_compact_failed", handler: Handler<object>): void;
  on(event: "ui_prompt_start" | "ui_prompt_end", handler: Handler<{ kind: string; title?: string }>): void;
  on(event: "message_start" | "message_end", handler: Handler<{ message: PiMessage }>): void;
  on(
    event: "before_agent_start",
    handler: Handler<
      { systemPromptOptions?: { sections?: Record<string, string> } },
      { systemPrompt?: string } | undefined
    >,
  ): void;
  on(
    event: "tool_call",
    handler: Handler<{ toolName: string; input: Record<string, unknown> }, { block: true; reason: string } | undefined>,
  ): void;
  registerTool(tool: {
    name: string;
    label: string;
    description: string;
    promptSnippet: string;
    parameters: object;
    execute(
      id: string,
      input: Record<string, unknown>,
      signal?: AbortSignal,
    ): Promise<{ content: { type: "text"; text: string }[]; details: undefined }>;
  }): void;
  sendUserMessage(text: string, options?: { deliverAs?: "steer" | "followUp" }): void;
}
