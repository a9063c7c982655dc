import { readFileSync, writeFileSync } from "node:fs";

/**
 * Completes package-lock.json. npm leaves out the optional packages of other platforms where the registry in use does
 * not serve them, and `npm ci` then refuses the lock as out of step. Run after `npm install --package-lock-only`.
 */
interface Entry {
  version: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Entry> };
let added = 0;
for (const entry of Object.values(lock.packages)) {
  for (const [name, range] of Object.entries(entry.optionalDependencies ?? {})) {
    if (Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`))) continue;
    const platform = /(android|darwin|freebsd|linux|openharmony|win32|wasm32)(?:-([a-z0-9]+))?(?:-([a-z]+))?$/.exec(
      name,
    );
    if (platform === null) continue; // not a platform's package
    const [, system = "", cpu, libc] = platform;
    const wasm = system === "wasm32";
    lock.packages[`node_modules/${name}`] = {
      version: range.replace(/^[\^~]/, ""),
      ...(wasm ? { cpu: ["wasm32"] } : cpu !== undefined && cpu !== "universal" && { cpu: [cpu] }),
      ...(entry.dev && { dev: true }),
      optional: true,
      ...(!wasm && { os: [system] }),
      ...(system === "linux" && libc !== undefined && { libc: [libc.startsWith("musl") ? "musl" : "glibc"] }),
    };
    added++;
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync("package-lock.json", `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(`added ${added}`);
