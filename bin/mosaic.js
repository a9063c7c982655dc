#!/usr/bin/env node
// Plain JavaScript that every Node since 12 can read, so that an old one says what is wrong instead of a stack trace.
const [major, minor] = process.versions.node.split(".").map(Number);
const [first, ...more] = process.argv.slice(2);
const say = (text, next) => {
  process.stderr.write(`${text}\nNext: ${next}\n`);
  process.exitCode = 1;
};
if (major < 22 || (major === 22 && minor < 19)) {
  say(
    `mosaic needs Node 22.19 or newer; this is ${process.versions.node}.`,
    "install Node 24, then type the same command again",
  );
} else if ((first === "--version" || first === "-V") && more.length === 0) {
  const { version } = JSON.parse(
    process.getBuiltinModule("fs").readFileSync(new URL("../package.json", import.meta.url), "utf8"),
  );
  process.stdout.write(`${version}\n`);
} else {
  process.getBuiltinModule("module").enableCompileCache();
  import("../dist/main.js").catch((error) =>
    error.code === "ERR_MODULE_NOT_FOUND"
      ? say(error.message, "npm ci (it builds mosaic in its folder)")
      : say(String(error.stack), "mosaic fleet doctor"),
  );
}
