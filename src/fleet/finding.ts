/** One thing that was checked: how it stands, and the line to type where something is to be done. */
export interface Finding {
  level: "good" | "note" | "bad";
  text: string;
  next?: string;
}
