package redistest

import "syscall"

// Servers end with the test's process, even if it is killed.
func init() { attributes = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
