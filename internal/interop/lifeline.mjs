// Ends this process when the one that started it goes away: it holds the other
// end of standard input.
export function endWithParent(stop) {
  process.stdin.resume();
  process.stdin.on("end", async () => {
    await stop();
    process.exit(0);
  });
}

// Tells the parent something, as one line of JSON.
export function tell(message) {
  process.stdout.write(JSON.stringify(message) + "\n");
}
