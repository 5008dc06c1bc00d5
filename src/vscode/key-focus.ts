/** Finds the row with the keyboard's focus in how the selection changes when whether it is selected is toggled. */
export class KeyFocus<Row> {
  private selection: readonly Row[] = [];
  private toggled: Row | undefined;
  private expected: Row | undefined;

  /** The selection is another now. */
  change(selection: readonly Row[]): void {
    const before = this.selection;
    this.selection = selection;
    const different = [
      ...before.filter((row) => !selection.includes(row)),
      ...selection.filter((row) => !before.includes(row)),
    ];
    const ours = selection.length === 1 && selection[0] === this.expected;
    this.expected = undefined;
    // A click exchanges one row for another, and what was asked for here is no key press.
    this.toggled = different.length === 1 && !ours ? different[0] : undefined;
  }

  /** The row that was toggled last, once. */
  take(): Row | undefined {
    const { toggled } = this;
    this.toggled = undefined;
    return toggled;
  }

  /** This row alone is going to be selected, not by a person. */
  expect(row: Row): void {
    this.expected = row;
  }
}
