/** Everything an agent can be. `running`: it lives and nothing tells more. `unknown`: nothing can be told. */
export const agentStates = [
  "starting",
  "running",
  "working",
  "idle",
  "waiting-permission",
  "waiting-input",
  "limited",
  "auth-failed",
  "draining",
  "stopped",
  "dead",
  "unknown",
] as const;
