/** Texts in which something could go wrong on the way: keys, commands, markup, shells, escapes, length. */
export const oddTexts = [
  "/help",
  "!rm -rf x",
  "#tag",
  "@file",
  "-t",
  "a;b;",
  "{x} #{pane} #(id) %i $(id) `id`",
  "tab\tand\nlines\n\nend",
  "naïve 世界 🎉",
  "Enter C-c Escape",
  "\u001b[31mred",
  "\"quoted\" \\ 'too'",
  " spaces ",
] as const;

/** A hundred texts, the odd ones and a very long one first. */
export const hundredTexts = (): string[] => {
  const first = [...oddTexts, "x".repeat(100_000)];
  return [...first, ...Array.from({ length: 100 - first.length }, (_, n) => `message ${n} ${"y".repeat(n * 3)}`)];
};
