// Package fleet has no code of its own: its tests run fleets of real processes
// against a real Redis and a Commerce Layer, which is a process too, and do to them
// what happens to processes. Run them in the folder redisstore with
//
//	go test -v ./fleet
//
// In the end they print a table:
//
//   - processes: how many of the shop's there were. One that is killed, or stopped
//     until the others have done without it, is not served.
//   - served, failed: the requests of visitors (and of jobs) that these processes got.
//     A visitor who is taken for another one than expected counts as failed.
//   - token requests: those that the auth server got for it all. The scenario's test
//     knows how many there have to be.
//   - slowest: how long after something the last request was served. "After the
//     answer" is that to the token request; "after the kill" or "after the stop" is when
//     the process that was to make it was lost; "after that" is what the scenario is
//     called by. "Of a call" is a visitor's own time, beginning with the request.
//
// What a visitor has to expect in each scenario is in docs/fleet.md: "customer expired"
// is what is left of a session whose refresh token died with a process.
//
// Times are the machine's as much as the package's. The tests assert ten times
// what is promised, so that a busy machine does not fail them, and print what they
// have got; what leases and takeovers take is asserted in the tests of package bearer,
// where time is not real. Counts and failures are asserted as they are.
//
// The processes are the test binary run again, which does what it is told line by
// line; with the race detector on, one that has been built without it, since 200
// processes with it need more memory than small machines have. They end with
// the test.
package fleet
