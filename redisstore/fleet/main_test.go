package fleet_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// scratch is a folder for all tests.
var scratch string

// TestMain is a child's main function too, if the environment names its role.
func TestMain(m *testing.M) {
	if role, ok := os.LookupEnv(roleEnv); ok {
		os.Exit(play(role))
	}
	os.Exit(test(m))
}

func test(m *testing.M) int {
	flag.Parse()
	flag.Set("test.parallel", "6") // they wait for leases most of the time
	var err error
	if scratch, err = os.MkdirTemp("", "fleet"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	if testing.Verbose() {
		defer results.print(os.Stdout)
	}
	return m.Run()
}
