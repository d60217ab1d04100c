package fleet_test

import "syscall"

// Children end with the test's process, even if that is killed and they are stopped.
func init() { attributes = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
