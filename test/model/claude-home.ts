/**
 * What a roster's `env` must say so that Claude Code talks to the scripted model at `url`. Its home needs nothing: mosaic
 * answers beforehand what Claude Code would ask. Few retries, so that a failure is said soon.
 */
export const claudeEnv = (url: string): Record<string, string> => ({
  ANTHROPIC_BASE_URL: url,
  ANTHROPIC_AUTH_TOKEN: "none",
  CLAUDE_CODE_MAX_RETRIES: "1",
});
