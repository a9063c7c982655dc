import { accept } from "../../src/mail/accept.ts";
import { openStore } from "../../src/mail/store.ts";
import { bodyOf } from "./bodies.ts";

/**
 * Sends messages FROM to TO of one sender and says each id once it is accepted. A killed one is started again where it
 * was, with the same ids. Arguments: database, sender, from, to.
 */
const [, , path = "", name = "", from = "0", to = "0"] = process.argv;
const store = openStore(path);
for (let at = Number(from); at < Number(to); at++) {
  const id = `${name}-${at}`;
  accept(store, { id, to: "co", from: { kind: "person", name }, mode: "next", body: bodyOf(name, at) }, Date.now());
  process.stdout.write(`${id}\n`);
}
store.close();
