import { chmodSync, cpSync, rmSync } from "node:fs";

import { rolldown } from "rolldown";

/**
 * main.ts stays out of it: it waits for what it imports, and a file that waits for itself never begins.
 * What every hot verb (`ps`, `send`, `start`) loads anyway: one file, since each further file costs about 1 ms.
 */
const core =
  /src\/(lib|contract|terminal|supervisor|status|harness\/(index|pi)|roster\/cache|fleet\/(?!doctor|init|compose|verify)|cli\/ps)/;

/** Bundles the CLI (each verb a chunk of its own, loaded when called) and the extension that Pi loads. */
const out = "dist";
rmSync(out, { recursive: true, force: true });
const cli = await rolldown({
  input: { main: "src/main.ts" },
  platform: "node",
  checks: { ineffectiveDynamicImport: false },
});
await cli.write({
  dir: out,
  format: "esm",
  minify: true,
  entryFileNames: "[name].js",
  chunkFileNames: "[name]-[hash].js",
  codeSplitting: {
    groups: [
      { name: "core", test: (id) => core.test(id) && !id.includes("node_modules") && !id.includes("extension") },
    ],
  },
});
const extension = await rolldown({ input: "src/harness/pi/extension/index.ts", platform: "node" });
await extension.write({ file: `${out}/pi-extension.js`, format: "esm" });
cpSync("src/roster/presets", `${out}/presets`, { recursive: true });
chmodSync("bin/mosaic.js", 0o755);
