// What is to be written at the end of a turn of the event loop, should there be none.

/** Called when the process exits in the middle of a turn. */
export const flushAtExit = new Set<() => void>();

process.on("exit", () => {
  for (const flush of flushAtExit) flush();
});
