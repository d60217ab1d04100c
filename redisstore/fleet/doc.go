// Package fleet has no code of its own: its tests run fleets of real processes
// against a real Redis and a Commerce Layer, which is a process too, and do to them
// what happens to processes. Run them in the folder redisstore with
//
//	go test -v ./fleet
//
// In the end they print a table:
//
//   - processes: how many of the shop's there were.
//   - served, failed: the requests of visitors (and of jobs) that these processes got.
//     A visitor who is taken for another one than expected counts as failed.
//   - token requests: those that the auth server got for it all. The scenario's test
//     knows how many there have to be.
//   - slowest: how long after something the last request was served. "After the
//     answer" is that of the token request; "after the kill" or "after the stop" is what
//     became of the process that was to make it; "of a call" is a visitor's own
//     time, beginning with the request.
//
// Times are the machine's as much as the package's. The tests assert ten times
// what is promised, so that a busy machine does not fail them, and print what they
// have got; what leases and takeovers take is asserted to the millisecond where
// there is no real time, in the tests of package bearer. Counts and failures are
// asserted as they are.
//
// The processes are the test binary run again, which does what it is told line by
// line; with the race detector on, one that has been built without it, since 200
// processes with it need more memory than small machines have. They end with
// the test.
package fleet
