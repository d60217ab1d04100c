package filestore

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// sweepEvery is how often files are looked for whose time has passed.
const sweepEvery = time.Hour

// removeEnded removes a file whose time has passed, if nobody writes just now, and
// if that is still so once nobody can.
func (s *Store) removeEnded(name, key string) {
	select {
	case s.turn <- struct{}{}:
	default:
		return
	}
	h := &held{turn: s.turn}
	if ok, _ := s.tryLock(h); !ok {
		<-s.turn
		return
	}
	defer h.release()
	if e, err := s.read(h.Root, name, key); err == nil && e != nil && e.ended() {
		s.disk.remove(h.Root, name)
	}
}

// sweepNowAndThen removes what has ended, if that was not done for a while. It does
// as much as it can: the next one does the rest.
func (s *Store) sweepNowAndThen(ctx context.Context, h *held) {
	now := time.Now()
	if last := lastSweep(h.file); !last.After(now) && now.Sub(last) < sweepEvery {
		return
	}
	if h.file.Truncate(0) != nil {
		return
	}
	if _, err := h.file.WriteAt(strconv.AppendInt(nil, now.Unix(), 10), 0); err != nil {
		return
	}
	all, err := h.Open(".")
	if err != nil {
		return
	}
	defer all.Close()
	for ctx.Err() == nil {
		names, err := all.Readdirnames(256)
		for _, name := range names {
			s.sweep(h.Root, name)
		}
		if err != nil {
			return
		}
	}
}

func (s *Store) sweep(dir *os.Root, name string) {
	if !strings.HasSuffix(name, valueKind) && !strings.HasSuffix(name, lockKind) {
		return
	}
	if e, err := readEntry(dir, name); err == nil && e.ended() {
		s.disk.remove(dir, name)
	}
}

// lastSweep is what sweepNowAndThen has noted in the lock's file, long ago if it has
// not.
func lastSweep(f *os.File) time.Time {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
