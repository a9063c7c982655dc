import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores: more workers only make real tmux and real harnesses wait for each other.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts", "test/{discord,house,model}/**/*.test.ts"] },
      },
      {
        extends: true,
        test: { name: "cli", include: ["test/cli/**/*.test.ts", "test/mail/**/*.test.ts"], testTimeout: 120_000 },
      },
      {
        extends: true,
        test: { name: "systemd", include: ["test/systemd/**/*.test.ts"], testTimeout: 120_000, fileParallelism: false },
      },
      {
        extends: true,
        test: { name: "harness", include: ["test/harness/**/*.test.ts"], testTimeout: 180_000, fileParallelism: false },
      },
    ],
  },
});
