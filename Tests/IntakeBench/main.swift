// The door under load, alone: `intake-bench serve|later PORT SECONDS` answers every request at once or
// from another thread in batches, then says what a request cost; `intake-bench parse` times the parser.
//
// Thread: main waits. Promise: one call; everything else stands in Bench.swift.

Bench.run(CommandLine.arguments)
