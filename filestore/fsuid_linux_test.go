package filestore_test

import (
	"syscall"
	"testing"
)

// setFSUID has files used as that user, by this thread.
func setFSUID(t *testing.T, uid int) { must(t, syscall.Setfsuid(uid)) }
