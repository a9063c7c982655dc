const verse = `A long answer has prose with ünicode, 👩🏽‍💻 and https://example.com/a/rather/long/link?with=questions#and-a-place.

\`\`\`ts
const fence = ["it has code", "which must not be torn"];
for (const line of fence) console.log(line);
\`\`\`

- and lists, *marks*, @everyone
`;

/** That many UTF-16 units of what answers are made of: prose, code, links, emoji. Every line has its number. */
export function recitalOf(length: number): string {
  const lines: string[] = [];
  let size = 0;
  const source = verse.split("\n");
  for (let at = 0; size < length; at++) {
    const line = source[at % source.length] ?? "";
    const numbered = line === "" || line.startsWith("```") ? line : `${at} ${line}`;
    lines.push(numbered);
    size += numbered.length + 1;
  }
  return lines.join("\n").slice(0, length).toWellFormed().trimEnd();
}
