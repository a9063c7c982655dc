import { chmodSync, cpSync, rmSync } from "node:fs";

import { rolldown, type Plugin } from "rolldown";

/**
 * main.ts stays out of it: it waits for what it imports, and a file that waits for itself never begins.
 * What every hot verb (`ps`, `send`, `start`) loads anyway: one file, since each further file costs about 1 ms.
 */
const core =
  /src\/(lib\/(?!become)|contract|terminal|supervisor|status|harness\/(index|pi)|roster\/cache|fleet\/(?!doctor|init|compose|verify|wire)|cli\/(ps|print-json))/;

/** Bundles the CLI (each verb a chunk of its own, loaded when called) and the extension that Pi loads. */
/**
 * Named imports of Node's own modules become plain look-ups: an import statement builds a module's whole facade, which
 * loads what nobody asked for (1 to 2 ms a start).
 */
const plainBuiltins: Plugin = {
  name: "plain-builtins",
  renderChunk: (code) =>
    code.replaceAll(
      /\bimport\s*\{([\w$\s,]+)\}\s*from\s*["'](node:[\w/]+)["'];/g,
      (_, names: string, module: string) => {
        const picked = names.replaceAll(/([\w$]+)\s+as\s+([\w$]+)/g, "$1:$2");
        return `const {${picked}}=process.getBuiltinModule("${module}");`;
      },
    ),
};

const out = "dist";
rmSync(out, { recursive: true, force: true });
const cli = await rolldown({
  input: { main: "src/main.ts" },
  platform: "node",
  plugins: [plainBuiltins],
  // Packages that make others faster where they happen to be installed; ours does without.
  external: ["zlib-sync", "bufferutil", "utf-8-validate"],
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
const opener = await rolldown({ input: "src/harness/codex/open.ts", platform: "node" });
await opener.write({ file: `${out}/codex-opener.js`, format: "esm" });
cpSync("src/roster/presets", `${out}/presets`, { recursive: true });
chmodSync("bin/mosaic.js", 0o755);
