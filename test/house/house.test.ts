import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

import { expect, onTestFinished, test } from "vitest";

const project = resolve(import.meta.dirname, "..", "..");

/** Runs the project's own lint on planted files: a gate counts only once it has been seen red. */
function lint(files: Readonly<Record<string, string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "mosaic-house-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"]) cpSync(join(project, name), join(dir, name));
  symlinkSync(join(project, "node_modules"), join(dir, "node_modules"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  const ran = spawnSync(join(project, "node_modules", ".bin", "oxlint"), ["--type-aware", "--deny-warnings", "src"], {
    cwd: dir,
    encoding: "utf8",
  });
  return `${ran.status}\n${ran.stdout}${ran.stderr}`;
}

test("a clean house passes", () => {
  expect(
    lint({
      "src/lib/a.ts": "export const a = 1;\n",
      "src/fleet/b.ts": 'import { a } from "../lib/a.ts";\n\nexport const b = a;\n',
    }),
  ).toMatch(/^0\n/);
});

test.for<[string, string, string, string]>([
  ["lib knows nothing of fleets", "src/lib/a.ts", "../fleet/b.ts", "lib may import nothing"],
  ["a leaf imports no sibling leaf", "src/supervisor/a.ts", "../terminal/b.ts", "supervisor may import lib, contract"],
  [
    "a leaf imports no sibling leaf, from a folder within",
    "src/harness/pi/extension/a.ts",
    "../../../status/b.ts",
    "harness may import lib, contract",
  ],
  ["the use cases know no skin", "src/fleet/a.ts", "../cli/b.ts", "fleet may import"],
  ["the daemon knows no skin", "src/daemon/a.ts", "../cli/b.ts", "daemon may import"],
  ["contract stands below all", "src/contract/a.ts", "../roster/b.ts", "contract may import lib"],
])("%s", ([, from, to, said]) => {
  const target = join(dirname(from), to);
  const out = lint({
    [target]: "export const b = 1;\n",
    [from]: `import { b } from "${to}";\n\nexport const a = b;\n`,
  });
  expect(out).toMatch(/^1\n/);
  expect(out).toContain(said);
});

test.for<[string, Record<string, string>, string]>([
  [
    "a cycle, of types too",
    {
      "src/lib/a.ts": 'import type { B } from "./b.ts";\n\nexport type A = B[];\n',
      "src/lib/b.ts": 'import type { A } from "./a.ts";\n\nexport type B = A | 1;\n',
    },
    "no-cycle",
  ],
  [
    "a floating promise",
    { "src/lib/a.ts": "export function a(): void {\n  Promise.resolve(1);\n}\n" },
    "no-floating-promises",
  ],
  ["any", { "src/lib/a.ts": "export const a: any = 1;\n" }, "no-explicit-any"],
  ["a claim that something is there", { "src/lib/a.ts": "export const a = [1][0]!;\n" }, "no-non-null-assertion"],
  ["the environment outside main.ts", { "src/lib/a.ts": 'export const a = process.env["X"];\n' }, "no-process-env"],
  [
    "an exit outside main.ts",
    { "src/lib/a.ts": "export const a = (): never => process.exit(1);\n" },
    "no-process-exit",
  ],
  [
    "a forgotten case",
    {
      "src/lib/a.ts":
        'export function a(x: "p" | "q"): number {\n  switch (x) {\n    case "p":\n      return 1;\n  }\n  return 0;\n}\n',
    },
    "switch-exhaustiveness-check",
  ],
])("%s is refused", ([, files, rule]) => {
  const out = lint(files);
  expect(out).toMatch(/^1\n/);
  expect(out).toContain(rule);
});

test("every dependency is named with its reason, and no file of the lock names a registry", () => {
  const manifest = JSON.parse(readFileSync(join(project, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const text = readFileSync(join(project, "docs", "architecture.md"), "utf8");
  for (const name of [
    ...Object.keys(manifest["dependencies"] ?? {}),
    ...Object.keys(manifest["devDependencies"] ?? {}),
  ]) {
    expect(text, name).toContain(`\`${name}\``);
  }
  expect(readFileSync(join(project, "package-lock.json"), "utf8")).not.toContain('"resolved": "http');
});
