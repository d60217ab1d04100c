package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/bearerkit/bearer"
)

const (
	// shortLease is the shortest that there is.
	shortLease = time.Second

	// longLease is one that does not end within a test.
	longLease = 5 * time.Minute
)

// take takes the lock, and returns nil if somebody else has it.
func (s *subject) take(key string, lease time.Duration) bearer.Lock {
	s.Helper()
	l, err := s.storage.(bearer.Locker).TryLock(s.ctx, key, lease)
	switch {
	case errors.Is(s.safe("TryLock", err), bearer.ErrLocked):
		return nil
	case err != nil:
		s.Fatalf("TryLock: %v", err)
	case l == nil:
		s.Fatalf("TryLock returned neither a lock nor an error")
	}
	s.Cleanup(func() { l.Unlock(context.WithoutCancel(s.ctx)) })
	return l
}

func (s *subject) lock(key string, lease time.Duration) bearer.Lock {
	s.Helper()
	l := s.take(key, lease)
	if l == nil {
		s.Fatalf("TryLock of a lock that nobody has: %v", bearer.ErrLocked)
	}
	return l
}

func (s *subject) wantLocked(key, why string) {
	s.Helper()
	if s.take(key, longLease) != nil {
		s.Errorf("TryLock took a lock that somebody has: %s", why)
	}
}

// done calls a method of a lock that is one's own.
func (s *subject) done(name string, method func(context.Context) error) {
	s.Helper()
	if err := s.safe(name, method(s.ctx)); err != nil {
		s.Errorf("%s of one's own lock: %v", name, err)
	}
}

// wantLost calls a method of a lock that is not one's own any more.
func (s *subject) wantLost(name string, method func(context.Context) error) {
	s.Helper()
	if err := s.safe(name, method(s.ctx)); !errors.Is(err, bearer.ErrLockLost) {
		s.Errorf("%s: error %v, want ErrLockLost", name, err)
	}
}

// wantFree takes the lock as soon as it can be had, and fails if that is before its
// time.
func (s *subject) wantFree(of life, lease time.Duration) (l bearer.Lock) {
	s.Helper()
	s.eventually("a lock whose lease has passed can be taken", func() bool {
		l = s.take(of.key, lease)
		return l != nil
	})
	if age := time.Since(of.since); age < of.lasts {
		s.Errorf("TryLock took the lock of another %v after its lease of %v began", age, of.lasts)
	}
	return l
}

func locksHaveOneOwner(s *subject) {
	key := s.key("a")
	l := s.lock(key, longLease)
	s.wantLocked(key, "it has just been taken")
	other := s.lock(s.key("b"), longLease)
	s.done("Unlock", l.Unlock)
	again := s.lock(key, longLease)
	s.wantLocked(key, "it has been taken, given back and taken")
	s.done("Unlock", other.Unlock)
	s.wantLocked(key, "one under another key has been given back")
	s.done("Renew", again.Renew)
	s.wantLocked(key, "it has been renewed")
	s.done("Unlock", again.Unlock)
}

func locksExclude(s *subject) {
	const goroutines, turns = 8, 3
	locker := s.storage.(bearer.Locker)
	key := s.key("a")
	var owners atomic.Int32
	s.together(goroutines, func(int) error {
		for turn := 0; turn < turns; {
			l, err := locker.TryLock(s.ctx, key, longLease)
			if errors.Is(err, bearer.ErrLocked) {
				pause(time.Millisecond)
				continue
			}
			if err != nil {
				return s.safe("TryLock", err)
			}
			n := owners.Add(1)
			pause(time.Millisecond)
			owners.Add(-1)
			if n != 1 {
				return fmt.Errorf("%d have the lock", n)
			}
			if err := l.Unlock(s.ctx); err != nil {
				return s.safe("Unlock", err)
			}
			turn++
		}
		return nil
	})
}

func leasesRunOut(s *subject) {
	of := life{s.key("a"), time.Now(), shortLease}
	lost := s.lock(of.key, shortLease)
	l := s.wantFree(of, longLease)
	s.wantLost("Renew of a lock that somebody else has by now", lost.Renew)
	s.wantLost("Unlock of a lock that somebody else has by now", lost.Unlock)
	s.wantLocked(of.key, "one whose lease had passed has tried to give it back")
	s.done("Renew", l.Renew)
	s.done("Unlock", l.Unlock)
}

func renewBeginsAnew(s *subject) {
	for range 5 { // on a slow machine the lease may pass before it is renewed
		key, begin := s.key("a"), time.Now()
		l := s.lock(key, shortLease)
		pause(shortLease * 6 / 10)
		of := life{key, time.Now(), shortLease}
		err := s.safe("Renew", l.Renew(s.ctx))
		if errors.Is(err, bearer.ErrLockLost) && time.Since(begin) >= shortLease {
			continue
		}
		if err != nil {
			s.Fatalf("Renew, %v after a lease of %v began: %v", time.Since(begin), shortLease, err)
		}
		s.wantFree(of, longLease)
		return
	}
	s.Skip("the machine is too slow to renew a lease in time")
}

func lapsedIsLost(s *subject) {
	renewed, unlocked := s.key("renewed"), s.key("unlocked")
	a, b := s.lock(renewed, shortLease), s.lock(unlocked, shortLease)
	// When this one can be taken the leases of those before it have passed as well,
	// and nobody has touched them.
	last := life{s.key("last"), time.Now(), shortLease}
	s.lock(last.key, shortLease)
	s.wantFree(last, longLease)
	s.wantLost("Renew of a lock whose lease has passed, and which nobody has taken", a.Renew)
	s.wantLost("Unlock of a lock whose lease has passed, and which nobody has taken", b.Unlock)
	s.lock(renewed, longLease)
	s.lock(unlocked, longLease)
}

func othersLocksStay(s *subject) {
	key := s.key("a")
	old := s.lock(key, longLease)
	s.done("Unlock", old.Unlock)
	s.wantLost("Unlock for the second time", old.Unlock)
	l := s.lock(key, longLease)
	s.wantLost("Unlock for the third time, while somebody else has the lock", old.Unlock)
	s.wantLost("Renew after Unlock, while somebody else has the lock", old.Renew)
	s.wantLocked(key, "the one who had it before has tried to give it back again")
	s.done("Renew", l.Renew)
	s.done("Unlock", l.Unlock)
}

func locksAreNoValues(s *subject) {
	key, value := s.key("a"), s.value("a")
	names := []string{key} // and those under which a storage might keep the lock
	for _, word := range []string{"lock", "locks", "lk"} {
		for _, join := range []string{":", "-", ".", "/", "_", "#"} {
			names = append(names, s.own(word+join+key), s.own(key+join+word))
		}
	}
	l := s.lock(key, longLease)
	for _, name := range names {
		s.wantNone(name, "TryLock")
		s.set(name, value, 0)
	}
	s.wantLocked(key, "a value has been set under its key, or one like it")
	s.done("Renew", l.Renew)
	for _, name := range names {
		s.want(name, value, "TryLock, Set and Renew")
		s.del(name)
	}
	s.wantLocked(key, "a value under its key, or one like it, has been deleted")
	s.set(key, value, 0)
	s.done("Unlock", l.Unlock)
	s.want(key, value, "Unlock")
	if is[bearer.CompareAndSwapper](s.storage) {
		free := s.key("free")
		l := s.lock(free, longLease)
		s.wantSwap(true, free, nil, value, 0, "old is nil, no value is there but a lock")
		s.done("Unlock", l.Unlock)
	}
}

func locksAreToldApart(s *subject) {
	var all []bearer.Lock
	for _, key := range s.oddKeys() {
		l := s.take(key, longLease)
		if l == nil {
			s.Fatalf("TryLock under %.60q, which nobody has: %v", key, bearer.ErrLocked)
		}
		s.wantLocked(key, fmt.Sprintf("%.60q has just been taken", key))
		all = append(all, l)
	}
	for _, l := range all {
		s.done("Unlock", l.Unlock)
	}
}

func lockContextsEnd(s *subject) {
	free, held := s.key("free"), s.key("held")
	var got bearer.Lock
	err := s.promptly("TryLock", func(ctx context.Context) (err error) {
		got, err = s.storage.(bearer.Locker).TryLock(ctx, free, shortLease)
		return err
	})
	if errors.Is(err, bearer.ErrLocked) {
		s.Errorf("TryLock, called with a context that has ended, says that somebody else has a lock that is free")
	}
	if err == nil {
		s.done("Unlock", got.Unlock)
	}
	l := s.lock(held, longLease)
	for name, method := range map[string]func(context.Context) error{"Renew": l.Renew, "Unlock": l.Unlock} {
		if err := s.promptly(name, method); name == "Renew" && errors.Is(err, bearer.ErrLockLost) {
			s.Errorf("Renew, called with a context that has ended, says that the lock is lost")
		}
	}
}
