import { expect, test } from "vitest";

import { budgetOf } from "./budget.ts";

test("of two limits that are told at once the longer one holds, whichever was told last", () => {
  const budget = budgetOf(5, () => 1_000_000);
  budget.rest(10_000);
  budget.rest(200);
  expect(budget.nextAt()).toBe(1_010_000);
});
