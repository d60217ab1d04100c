package fleet_test

import (
	"os"
	"runtime/debug"
	"slices"
	"testing"
)

// TestMain is a child's main function too, if the environment names its role.
func TestMain(m *testing.M) {
	if role, ok := os.LookupEnv(roleEnv); ok {
		os.Exit(play(role))
	}
	code := m.Run()
	if testing.Verbose() {
		results.print(os.Stdout)
	}
	os.RemoveAll(program.dir)
	os.Exit(code)
}

// underRace reports whether this binary has the race detector in it.
func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
